"""One sync in the foreground, with its lines in the log (CONTRACT section 9)."""

import sys
from pathlib import Path

from lzsyncd import logs
from lzsyncd.cli.output import is_terminal
from lzsyncd.config import Config, Site
from lzsyncd.report.events import RunLog
from lzsyncd.service.instance import published
from lzsyncd.sync.ending import Result, describe, translate
from lzsyncd.sync.inbox import check_inbox, sync_inbox
from lzsyncd.sync.run import Options, clock, sync_folder
from lzsyncd.zone.database import opened


def start_log(config: Config, *, as_json: bool) -> None:
    """Log to standard error; a person at a terminal gets the summary instead, unless they debug."""
    pretty = is_terminal(sys.stderr) and not as_json
    shown: logs.Level | None = "critical" if pretty and config.log.level != "debug" else None
    logs.configure(sys.stderr, pretty=pretty, level=config.log.level, file=config.log.file, shown=shown)


def send_mails(config: Config, site: Site) -> None:
    """Send what is to be told now, where no daemon does. The run stands, whatever stands in the way of that."""
    if not site.is_told or published(config.daemon.runtime_dir) is not None:
        return
    from lzsyncd.report.mail import Post  # noqa: PLC0415 only where somebody is told

    log = logs.logger().bind(site=site.name)
    try:
        with opened(site) as database:
            Post(database, site, clock, log).deliver()
    except Exception as error:  # noqa: BLE001 it is in the queue, and goes out later
        text = f"Mails wait: {describe(translate(error))}"
        log.warning(text, **{"event.action": "mail_deferred"})


def logged_sync(site: Site, folder: Path, options: Options) -> list[Result]:
    """Sync a folder's sets; how each began and ended is in the log."""
    log = RunLog(logs.logger().bind(site=site.name))
    log.started(kind="dry-run" if options.dry_run else "sync")
    try:
        results = sync_folder(site, folder, options)
    except Exception as error:
        log.failed(None, error)
        raise
    with opened(site) as database:
        for result in results:
            log.finished(database, result)
    return results


def logged_inbox_sync(site: Site, options: Options) -> list[Result]:
    """Sync what lies in the inbox and what waits; each run tells of itself."""
    log = RunLog(logs.logger().bind(site=site.name))
    try:
        return check_inbox(site, options) if options.dry_run else sync_inbox(site, options, log)
    except Exception as error:
        log.failed(None, error)
        raise
