"""Numbers for dashboards in Prometheus's text format, as the node exporter and the page hand them on.

Written by hand: the format is a line a number, and its library would cost the daemon 11 MiB (measured). All are gauges,
read from the ledger, so that a restart loses nothing; no value of a file is in a label (law 8).
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lzsyncd.errors import LzsyncdError, writing

FAMILIES = {
    "lzsyncd_info": "The version that runs; always 1.",
    "lzsyncd_daemon_running": "Whether the daemon runs; only the page says so.",
    "lzsyncd_config_last_reload_successful": "Whether the configuration that was read last is the one that runs.",
    "lzsyncd_site_well": "Whether the site's inbox and database are well, and its work can be done.",
    "lzsyncd_site_working": "Whether a run of the site is under way.",
    "lzsyncd_last_success_timestamp_seconds": "When a set was applied last, or found to change nothing.",
    "lzsyncd_last_run_timestamp_seconds": "When the last run came to its end.",
    "lzsyncd_last_run_duration_seconds": "How long the last run took.",
    "lzsyncd_last_run_status": "How the last run ended, as a label; always 1.",
    "lzsyncd_last_run_rows": "What became of the records of the last run, by element and outcome.",
    "lzsyncd_last_run_findings": "Findings of the last run, by code.",
    "lzsyncd_sets_waiting": "Sets that are checked and wait for their slot.",
    "lzsyncd_sets_held": "Sets that wait for a person.",
    "lzsyncd_inbox_files": "Names in the inbox.",
    "lzsyncd_inbox_age_seconds": "For how long the oldest of them has lain there; 0 where it is empty.",
    "lzsyncd_feed_late": "Whether no good set has come for longer than is expected.",
    "lzsyncd_feed_due_timestamp_seconds": "When the site becomes, or became, late.",
    "lzsyncd_remote_well": "Whether the last visit of the remote server went well.",
    "lzsyncd_remote_last_success_timestamp_seconds": "When the remote server was visited last without trouble.",
    "lzsyncd_mails_waiting": "Mails that are yet to be sent.",
    "lzsyncd_mails_given_up": "Mails that nobody will get.",
}
"""Every metric, and what it says."""


class Sample(NamedTuple):
    """One number.

    Attributes:
        name: of `FAMILIES`.
        value: of it.
        labels: names and values.
    """

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def exposition(samples: Iterable[Sample]) -> str:
    """The numbers as text (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    by_name: dict[str, list[Sample]] = {name: [] for name in FAMILIES}
    for sample in samples:
        by_name[sample.name].append(sample)
    return "".join(line for name, found in by_name.items() if found for line in _family(name, found))


def _family(name: str, samples: list[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {FAMILIES[name]}\n# TYPE {name} gauge\n"
    for sample in samples:
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels)
        yield f"{name}{f'{{{labels}}}' if labels else ''} {sample.value:.15g}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write_textfile(path: Path, text: str) -> str:
    """Write the file so that nobody ever reads half of it; the node exporter runs as another account.

    Returns:
        Why it could not be written, "" where it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with writing(path):
            partial.write_text(text, encoding="utf-8")
            partial.chmod(0o644)
            partial.rename(path)
    except LzsyncdError as error:
        reason = str(error)
    except OSError as error:
        reason = f"{path} can't be written: {error.strerror}."
    else:
        return ""
    with contextlib.suppress(OSError):
        partial.unlink()
    return reason
