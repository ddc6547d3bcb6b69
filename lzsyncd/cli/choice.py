"""Which site and which run a command is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import typer

from lzsyncd.config import Config, ConfigError, Problem, Site, load
from lzsyncd.errors import LzsyncdError, Usage
from lzsyncd.ledger.queries import find_runs, last_run
from lzsyncd.zone.database import Database, opened


def configuration(context: typer.Context) -> Config:
    """The configuration that the command line names.

    Raises:
        ConfigError: it can't be used, or it has no site.
    """
    path: Path = context.obj
    config = load(path)
    if not config.sites:
        raise ConfigError([Problem(0, "sites", "there is no site yet: add [sites.NAME]")], str(path))
    return config


def chosen_site(config: Config, name: str | None) -> Site:
    """The site of that name, or the only one.

    Raises:
        Usage: there is no such site, or there are several and none is named.
    """
    names = list(config.sites)
    if name is None and len(names) > 1:
        raise Usage(f"Which site? Name one of these: {', '.join(names)}.")
    if name is not None and name not in config.sites:
        near = get_close_matches(name, names, 1)
        hint = f"did you mean “{near[0]}”?" if near else f"there is {', '.join(names)}."
        raise Usage(f"There is no site “{name}”; {hint}")
    return config.sites[name or names[0]]


@contextmanager
def ledger_of(site: Site) -> Iterator[Database]:
    """A site's database for questions: one that is not there yet is not made.

    Raises:
        Usage: the site has no database yet.
    """
    if not has_ledger(site):
        raise Usage(f"Site {site.name} has no run yet.")
    with opened(site) as database:
        yield database


def has_ledger(site: Site) -> bool:
    """Whether a site has a database; of PostgreSQL we only know when we ask."""
    return site.database != "sqlite" or (site.folder / "zone.db").exists()


@contextmanager
def chosen_run(context: typer.Context, site: str | None, run: str | None) -> Iterator[tuple[Database, str]]:
    """The run that a person means, in its site's database; without a name the last one.

    Raises:
        Usage: no run, or more than one, is meant.
    """
    config = configuration(context)
    if run is None:
        with ledger_of(chosen_site(config, site)) as database:
            yield database, last_run(database)
        return
    candidates = [chosen_site(config, site)] if site else [s for s in config.sites.values() if has_ledger(s)]
    with ledger_of(_site_with(candidates, run)) as database:
        yield database, find_runs(database, run)[0]


def _site_with(sites: list[Site], run: str) -> Site:
    """The site that has the run; ids are unique over all sites."""
    found, trouble = [], None
    for site in sites:
        try:
            with ledger_of(site) as database:
                found += [(site, run_id) for run_id in find_runs(database, run)]
        except LzsyncdError as error:  # another site may have it
            trouble = error
    exact = [(site, run_id) for site, run_id in found if run_id == run]
    if len(exact or found) == 1:
        return (exact or found)[0][0]
    if not found:
        raise trouble or Usage(f"There is no run {run}.")
    raise Usage(f"Which run? {run} is short for {', '.join(run_id for _, run_id in found[:5])}.")
