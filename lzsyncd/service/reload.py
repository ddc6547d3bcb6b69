"""A new configuration: taken whole where it is good, refused whole where it is not. What runs is never in between."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from lzsyncd import logs
from lzsyncd.config import Config, ConfigError

if TYPE_CHECKING:
    from lzsyncd.service.daemon import Daemon


def reload(daemon: "Daemon", read_again: Callable[[], Config]) -> str:
    """Read the configuration and go on with it, or with the old one.

    Returns:
        What the status line says of it from now on, "" for nothing.
    """
    try:
        config = read_again()
    except ConfigError as error:
        number = len(error.problems)
        found = "1 problem" if number == 1 else f"{number} problems"
        logs.tell(error, "config_problem")
        text = f"The new configuration was rejected, the old one runs on: {found}, told above."
        logs.logger().error(text, **{"event.action": "config_rejected"})
        daemon.config_is_good = False
        return "configuration rejected, the old one runs; "
    has_moved = config.daemon.runtime_dir != daemon.runtime_dir
    daemon.take_over(config, [name for name, site in config.sites.items() if site != daemon.config.sites.get(name)])
    daemon.config_is_good = True
    logs.reconfigure(config.log.level, config.log.file)
    logs.logger().info("The configuration was reloaded.", **{"event.action": "config_reloaded"})
    return "runtime_dir has changed, which takes a restart; " if has_moved else ""
