"""`audiences`: who is in which, and what rules would change."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lzsyncd.cli.options import JsonOption, LimitOption, examples

if TYPE_CHECKING:
    from lzsyncd.learning.trial import Trial
    from lzsyncd.ledger.learning import Standing


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(
        epilog=examples(
            "lzsyncd audiences acme", "lzsyncd audiences acme --dry-run", "lzsyncd audiences acme --rules rules.toml"
        )
    )(audiences)


def audiences(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Argument(metavar="SITE", help="The site; may be left out where there is only one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the rules now, and change nothing.")] = False,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="Ask the rules of this file, and change nothing.", readable=False),
    ] = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the audiences of a site, or what their rules would change.

    With --dry-run or --rules it is shown who would join and leave, and why; no set is needed.
    """
    from dataclasses import replace

    from lzsyncd.cli.choice import chosen_site, configuration, ledger_of
    from lzsyncd.config import read_rules
    from lzsyncd.learning.trial import try_rules
    from lzsyncd.ledger.learning import standing
    from lzsyncd.sync.run import clock

    chosen = chosen_site(configuration(context), site)
    if rules is not None:
        chosen = replace(chosen, audiences=read_rules(rules, chosen))
    if not dry_run and rules is None:
        with ledger_of(chosen) as database:
            _show(standing(database), as_json=as_json)
        return
    with ledger_of(chosen):
        pass  # of a site without a database nothing is made
    _show_trial(try_rules(chosen, clock()), limit, as_json=as_json)


def _show(found: "list[Standing]", *, as_json: bool) -> None:
    from lzsyncd.cli.output import number, say, say_json_list, say_table, whole

    names = ("members", "assigned", "joined", "left")
    if as_json:
        say_json_list(
            {"audience": one.name, **{k: v for k, v in one._asdict().items() if k != "name"}} for one in found
        )
        return
    rows = [[one.name, *(getattr(one, name) for name in names), "frozen" if one.frozen else ""] for one in found]
    if not say_table([whole("audience"), *map(number, names), whole("")], rows):
        say("There is no audience yet.")


def _show_trial(trial: "Trial", limit: int | None, *, as_json: bool) -> None:
    from lzsyncd.checks.catalogue import CATALOGUE
    from lzsyncd.cli.output import Heading, say, say_json, say_table, whole
    from lzsyncd.cli.shown import first, limit_of, show_audiences

    moved = [tally.told() for tally in trial.tallies]
    if as_json:
        told = [{"code": code, "audience": name} for code, name in trial.told]
        people = [move.told() for move in first(trial.moves, limit or 0)]
        say_json({"audiences": moved, "findings": told, "people": people})
        return
    for code, name in trial.told:
        say(f"{name}: {code}. {CATALOGUE[code].remedy}")
    if not moved:
        say("The rules would move nobody.")
    show_audiences(moved)
    if trial.moves:
        say()
    headings = [whole("audience"), whole("idnumber"), whole("action"), Heading("reason")]
    rows = first(trial.moves, limit_of(limit, as_json=False))
    say_table(headings, ([move.audience, move.idnumber, move.action, move.reason] for move in rows))
