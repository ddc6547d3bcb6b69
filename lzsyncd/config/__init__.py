"""`lzsyncd.toml` → frozen models; all errors at once, each with its line (CONTRACT section 6).

`load` reads the file, `parse` reads text, `effective` writes down what holds.
"""

from lzsyncd.config.effective import effective
from lzsyncd.config.guards import Guard, Limit
from lzsyncd.config.models import (
    Config,
    ConfigError,
    Daemon,
    ElementConfig,
    Log,
    Mail,
    Metrics,
    Notify,
    Problem,
    Site,
    Web,
)
from lzsyncd.config.reading import load, parse, read_rules
from lzsyncd.config.remote import Remote
from lzsyncd.config.secrets import Secret, SecretError

__all__ = [
    "Config",
    "ConfigError",
    "Daemon",
    "ElementConfig",
    "Guard",
    "Limit",
    "Log",
    "Mail",
    "Metrics",
    "Notify",
    "Problem",
    "Remote",
    "Secret",
    "SecretError",
    "Site",
    "Web",
    "effective",
    "load",
    "parse",
    "read_rules",
]
