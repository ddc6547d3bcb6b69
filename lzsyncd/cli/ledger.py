"""`runs`, `show`, `errors`, `changes`, `history`: what happened and why."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from typing import Annotated, Literal

import typer

from lzsyncd.cli.options import JsonOption, LimitOption, RunArgument, SiteOption, examples
from lzsyncd.errors import Usage
from lzsyncd.feed.elements import SUBJECT, Element

RUN = "20261122T020000412-5f0c9d1e"
Action = Literal["created", "updated", "revived", "removed"]
ElementOption = Annotated[Element | None, typer.Option("--element", help="Only this element.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples("lzsyncd runs", "lzsyncd runs --site acme --limit 5 --json"))(runs)
    app.command(epilog=examples("lzsyncd show", f"lzsyncd show {RUN}", f"lzsyncd show {RUN[-8:]} --json"))(show)
    app.command(
        epilog=examples(
            "lzsyncd errors", f"lzsyncd errors {RUN} --code user.email", "lzsyncd errors --element org --json"
        )
    )(errors)
    app.command(
        epilog=examples(
            "lzsyncd changes",
            "lzsyncd changes --action removed",
            f"lzsyncd changes {RUN} --field manageridnumber",
            "lzsyncd changes --element user --idnumber E1001",
        )
    )(changes)
    app.command(
        epilog=examples(
            "lzsyncd history user E1001",
            "lzsyncd history user E1001 --as-of 2036-11-22",
            "lzsyncd history org OPS --site acme --json",
        )
    )(history)


def runs(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Option("--site", metavar="SITE", help="Only this site's runs. [default: every site's]")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="The last N; 0 for all.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the runs, newest first."""
    from lzsyncd.cli.choice import chosen_site, configuration, has_ledger, ledger_of
    from lzsyncd.cli.output import say, say_json_list
    from lzsyncd.cli.shown import show_runs
    from lzsyncd.ledger import queries

    config = configuration(context)
    found = []
    for one in [chosen_site(config, site)] if site else filter(has_ledger, config.sites.values()):
        with ledger_of(one) as database:
            found += [(one.name, run) for run in queries.runs(database, limit)]
    found = sorted(found, key=lambda pair: pair[1].run, reverse=True)[: limit or None]
    if as_json:
        say_json_list({"site": name, **run.as_dict()} for name, run in found)
    elif not show_runs(found, with_site=len(config.sites) > 1):
        say("There is no run yet.")


def show(context: typer.Context, run: RunArgument = None, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Show one run: how it ended, what it changed, what it found."""
    from lzsyncd.cli.choice import chosen_run
    from lzsyncd.cli.output import say_json
    from lzsyncd.cli.shown import show_run
    from lzsyncd.ledger.queries import breaches, code_counts, summary

    with chosen_run(context, site, run) as (database, run_id):
        told = summary(database, run_id)
        if as_json:
            say_json({"site": database.site.name, **told.as_dict(), "breaches": breaches(database, run_id)})
        else:
            show_run(database.site, told, code_counts(database, run_id), breaches(database, run_id))


def errors(
    context: typer.Context,
    run: RunArgument = None,
    site: SiteOption = None,
    code: Annotated[
        str, typer.Option("--code", metavar="CODE", help="Only this code, or the codes below it: user.email.")
    ] = "",
    element: ElementOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the findings of a run, and how to mend them."""
    from lzsyncd.checks.catalogue import CATALOGUE
    from lzsyncd.cli.choice import chosen_run
    from lzsyncd.cli.output import say, say_json_list
    from lzsyncd.cli.shown import first, limit_of, not_kept, show_findings
    from lzsyncd.config.values import did_you_mean
    from lzsyncd.ledger import queries

    if code and not any(f"{known}.".startswith(f"{code}.") for known in CATALOGUE):
        raise Usage(f"There is no finding “{code}”{did_you_mean(code, CATALOGUE) or '.'}")
    with chosen_run(context, site, run) as (database, run_id):
        limit = limit_of(limit, as_json=as_json)
        rows = queries.findings(database, run_id, code=code, element=element, limit=limit and limit + 1)
        if as_json:
            say_json_list(row.as_dict() for row in first(rows, limit))
        elif not show_findings(first(rows, limit)):
            told = f"Run {run_id} has no {'such ' if code or element else ''}findings."
            say(not_kept(queries.summary(database, run_id)) or told)


def changes(
    context: typer.Context,
    run: RunArgument = None,
    site: SiteOption = None,
    element: ElementOption = None,
    action: Annotated[Action | None, typer.Option("--action", help="Only records to which this happened.")] = None,
    field: Annotated[str, typer.Option("--field", metavar="FIELD", help="Only this field.")] = "",
    idnumber: Annotated[str, typer.Option("--idnumber", metavar="KEY", help="Only records with this key.")] = "",
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a run changed: record, field, old and new value."""
    from lzsyncd.cli.choice import chosen_run
    from lzsyncd.cli.output import say, say_json_list
    from lzsyncd.cli.shown import first, limit_of, not_kept, show_changes
    from lzsyncd.ledger import queries

    with chosen_run(context, site, run) as (database, run_id):
        limit = limit_of(limit, as_json=as_json)
        rows = queries.changes(
            database,
            run_id,
            element=element,
            action=action or "",
            field=field,
            idnumber=idnumber,
            limit=limit and limit + 1,
        )
        if as_json:
            say_json_list(row._asdict() for row in first(rows, limit))
        elif not show_changes(first(rows, limit)):
            asked = element or action or field or idnumber
            told = f"Run {run_id} {'made no such changes' if asked else 'changed nothing'}."
            say(not_kept(queries.summary(database, run_id)) or told)


def history(
    context: typer.Context,
    element: Annotated[Element, typer.Argument(help="What it is.", show_default=False)],
    idnumber: Annotated[str, typer.Argument(metavar="IDNUMBER", help="Its key.", show_default=False)],
    site: SiteOption = None,
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DAY", help="Show what it was at the end of this day, or at a time.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show every change of one unit, position or person.

    When, by which run, from which line of which file, and the old and the new value of each field; also what was undone
    since, and its undo. With --as-of: its fields as they were then, as far as the history goes back.
    """
    from lzsyncd.cli.choice import chosen_site, configuration, ledger_of
    from lzsyncd.cli.output import say_json_list
    from lzsyncd.cli.shown import show_history, show_past
    from lzsyncd.ledger import queries
    from lzsyncd.ledger.life import life
    from lzsyncd.ledger.past import moment_of, past_of

    chosen = chosen_site(configuration(context), site)
    with ledger_of(chosen) as database:
        steps = queries.history(database, element, idnumber) if as_of else life(database, element, idnumber)
        if as_of:
            past = past_of(steps, moment_of(as_of, chosen.timezone))
            if past.fields is None:
                raise Usage(f"The history knows of no {SUBJECT[element]} with the idnumber “{idnumber}” at that time.")
            show_past(element, idnumber, as_of, past, as_json=as_json)
        elif as_json:
            say_json_list(step.as_dict() for step in steps)
        elif not show_history(steps):
            raise Usage(f"No run has changed a {SUBJECT[element]} with the idnumber “{idnumber}”.")
