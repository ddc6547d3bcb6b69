"""What the log may say: every key with its one type for ever, every action. docs/logs.md is held to this list."""

from typing import Literal, NamedTuple

LogLevel = Literal["debug", "info", "warning", "error"]
"""What can be asked for: this and what is worse."""


class Key(NamedTuple):
    """One key of an event.

    Attributes:
        type: what its value is, always: an index that has seen a number refuses a text, and with it the whole event.
        meaning: for people.
    """

    type: type
    meaning: str


KEYS: dict[str, Key] = {
    "@timestamp": Key(str, "When: UTC, milliseconds, `Z`."),
    "log.level": Key(str, "`debug`, `info`, `warning`, `error` or `critical`."),
    "message": Key(str, "A sentence for people. Its wording may change."),
    "ecs.version": Key(str, "The version of Elastic's names that is followed."),
    "service.name": Key(str, "`lzsyncd`."),
    "service.version": Key(str, "The version of lzsyncd."),
    "process.pid": Key(int, "The process that says it: the daemon, a child of it, or a command."),
    "log.logger": Key(str, "The library that says it; not there where lzsyncd itself does."),
    "event.action": Key(str, "What happened, as one of the names below. They never change."),
    "event.outcome": Key(str, "`success`, `failure` or `unknown` (a hold)."),
    "event.duration": Key(int, "How long it took, in nanoseconds."),
    "site": Key(str, "The site's name."),
    "run.id": Key(str, "The run's id, as `lzsyncd show` takes it."),
    "run.kind": Key(str, "`sync`, `dry-run` or `undo`."),
    "run.status": Key(str, "The run's status."),
    "set.hash": Key(str, "The digest of the set."),
    "plan.hash": Key(str, "The digest of the plan."),
    "rows.read": Key(int, "Records that were read."),
    "rows.rejected": Key(int, "Records that were rejected."),
    "plan.create": Key(int, "Records that are new."),
    "plan.update": Key(int, "Records that are changed."),
    "plan.unchanged": Key(int, "Records that stay as they are."),
    "plan.revive": Key(int, "Records that come back."),
    "plan.remove": Key(int, "Records that go."),
    "plan.join": Key(int, "People who join an audience."),
    "plan.leave": Key(int, "People who leave an audience."),
    "plan.assign": Key(int, "Assignments of learning that are new or come back."),
    "plan.unassign": Key(int, "Assignments of learning that are taken away."),
    "findings.fatal": Key(int, "Findings that reject the set."),
    "findings.error": Key(int, "Findings that reject a record."),
    "findings.warning": Key(int, "Findings that cost a value, or nothing."),
    "findings.by_code": Key(dict, "The most frequent codes of findings, each with its number."),
    "file.size": Key(int, "Bytes that were fetched."),
    "pruned.archives": Key(int, "Folders of the archive that retention deleted."),
    "pruned.reports": Key(int, "Folders of the outbox that it deleted."),
    "pruned.bytes": Key(int, "Bytes of the files in them."),
    "pruned.rows": Key(int, "Rows of the ledger that it deleted."),
    "exit_code": Key(int, "As the command's exit code would be."),
    "error.type": Key(str, "The name of the exception."),
    "error.message": Key(str, "What it says, where that holds no value."),
    "error.stack_trace": Key(str, "Where it came from: frames as one text, without local variables."),
    "log.truncated": Key(bool, "`true` where texts were shortened to fit into 16 KiB."),
}
"""Every key an event may have. Others become `labels.KEY`, text."""

ACTIONS: dict[str, str] = {
    "daemon_started": "The daemon is ready.",
    "daemon_stopping": "The daemon ends.",
    "daemon_failed": "The daemon could not start, or ended; why is told, a line for each sentence.",
    "config_reloaded": "A new configuration is in force.",
    "config_rejected": "A new configuration can't be used; the old one runs on.",
    "config_problem": "One thing that is wrong with it.",
    "inbox_armed": "An inbox is watched in another way than before.",
    "inbox_failed": "An inbox can't be read.",
    "inbox_recovered": "It can be read again.",
    "database_failed": "A site's database does not answer.",
    "database_recovered": "It answers again.",
    "set_claimed": "A set was taken out of the inbox.",
    "set_changed": "A set changed while it was claimed; it is waited for.",
    "set_overdue": "A file has not been complete for a long time.",
    "set_held": "A set waits for a file or a person.",
    "set_ended": "A set is not waited for any more.",
    "set_quarantined": "A set failed three times and was put aside.",
    "slot_skipped": "A slot was missed and is not caught up.",
    "run_started": "A run begins.",
    "run_finished": "A run has come to its end, or to a halt; with its counts.",
    "request_done": "What a person asked for was carried out, or could not be.",
    "retention_done": "What is older than a site's `retention` was deleted.",
    "retention_failed": "It could not be deleted; it is tried again after the next slot.",
    "mail_sent": "A mail, or message to chats, was taken by the server.",
    "mail_deferred": "A mail, or message to chats, could not be sent yet; it is tried again.",
    "mail_refused": "A mail was refused for good, or tried for too long.",
    "mail_failed": "A mail could not be written: a fault of lzsyncd.",
    "metrics_failed": "The file with the metrics can't be written.",
    "site_busy": "Somebody else works for a site, perhaps on another host.",
    "site_failed": "The work for a site failed; it is tried again.",
    "worker_failed": "A child process could not be started.",
    "worker_killed": "A child process was ended by a signal.",
    "visit_finished": "A remote server was visited: sets fetched, reports put.",
    "visit_failed": "A remote server could not be visited; it is tried again.",
    "page_started": "The admin page can be reached.",
    "page_failed": "A page could not be made for a reason that nobody foresaw.",
    "sign_in_failed": "Somebody tried to sign in to the page with a wrong password.",
    "command_failed": "A command ended with an error that nobody foresaw.",
    "not_foreseen": "A failure that nobody caught, or a warning of Python.",
    "log_file_failed": "The log file can't be written; the log goes on without it.",
    "log_render_failed": "An event could not be written as it was.",
}
"""Every `event.action`."""
