"""`web`, `web-user` and `web-token`: the admin page, its accounts and its API tokens."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: nothing else pays for the page

import re
import sys
from typing import Annotated, Literal

import typer

from lzsyncd.cli.options import JsonOption, SiteOption, examples
from lzsyncd.errors import Usage

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name: letters, digits and . _ @ + -")]
RoleOption = Annotated[
    Literal["viewer", "admin"], typer.Option("--role", help="viewer: may look; admin: may upload and decide.")
]
PasswordOption = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input. [default: make one and print it]"),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples("lzsyncd web", "lzsyncd --config lzsyncd.toml web"))(web)
    users = typer.Typer(help="Accounts of the admin page; each belongs to one site.", rich_markup_mode=None)
    users.command(
        "add", epilog=examples("lzsyncd web-user add ada", "lzsyncd web-user add grace --role admin --site acme")
    )(add_user)
    users.command("list", epilog=examples("lzsyncd web-user list", "lzsyncd web-user list --site acme --json"))(
        users_of
    )
    users.command("disable", epilog=examples("lzsyncd web-user disable ada"))(disable_user)
    users.command("password", epilog=examples("lzsyncd web-user password ada"))(new_password)
    app.add_typer(users, name="web-user")
    tokens = typer.Typer(help="Tokens for programs that use the page's API.", rich_markup_mode=None)
    tokens.command("add", epilog=examples("lzsyncd web-token add hr-export --role admin"))(add_token)
    tokens.command("list", epilog=examples("lzsyncd web-token list", "lzsyncd web-token list --json"))(tokens_of)
    tokens.command("revoke", epilog=examples("lzsyncd web-token revoke hr-export"))(revoke_token)
    app.add_typer(tokens, name="web-token")


def web(context: typer.Context) -> None:
    """Serve the admin page.

    Where it listens is in the table [web] of the configuration. It starts no runs: the daemon does. A changed
    configuration is taken at the next request, but for the table [web] itself.
    """
    from lzsyncd import logs
    from lzsyncd.cli.output import is_terminal
    from lzsyncd.config import load
    from lzsyncd.web.server import serve

    config = load(context.obj)
    logs.configure(sys.stdout, pretty=is_terminal(sys.stdout), level=config.log.level)
    serve(config)


def add_user(
    context: typer.Context,
    name: NameArgument,
    role: RoleOption = "viewer",
    site: SiteOption = None,
    password_stdin: PasswordOption = False,
) -> None:
    """Let somebody use the page of a site. Prints their first password, once."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import note, say
    from lzsyncd.web.house import clock
    from lzsyncd.web.passwords import hashed
    from lzsyncd.web.store import Role, kept

    chosen = chosen_site(configuration(context), site)
    password = _password(given=password_stdin)
    with kept(chosen) as store:
        store.add_account(_checked(name), Role(role), hashed(password), clock())
        store.note(*BY_COMMAND, "added account", f"{name}, {role}", clock())
    note(f"{name} may use the page of site {chosen.name} as {role}.")
    if not password_stdin:
        note("The password, shown once; they should change it after signing in:")
        say(password)


BY_COMMAND = ("command line", "this machine")


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Usage("A name has letters, digits and . _ @ + -, begins with one of the first two, and has at most 64.")
    return name


def _password(*, given: bool) -> str:
    from lzsyncd.setup.site import new_password as made_up

    return sys.stdin.readline().rstrip("\r\n") if given else made_up()


def users_of(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """List who may use the page of a site."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import Heading, say, say_json_list, say_table
    from lzsyncd.web.store import kept

    with kept(chosen_site(configuration(context), site)) as store:
        accounts = store.accounts()
    if as_json:
        say_json_list(
            {"name": a.name, "role": a.role, "disabled": a.disabled, "created_at": a.created_at} for a in accounts
        )
    elif not say_table(
        [*map(Heading, ("name", "role", "may sign in", "since (UTC)"))],
        ([a.name, a.role, "no" if a.disabled else "yes", a.created_at[:16].replace("T", " ")] for a in accounts),
    ):
        say("There is no account yet: lzsyncd web-user add NAME")


def disable_user(context: typer.Context, name: NameArgument, site: SiteOption = None) -> None:
    """Sign somebody out and let them in no more. Their name stays, for the audit trail."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import say
    from lzsyncd.web.house import clock
    from lzsyncd.web.store import kept

    with kept(chosen_site(configuration(context), site)) as store:
        store.disable(name)
        store.note(*BY_COMMAND, "disabled account", name, clock())
    say(f"{name} is signed out and may not sign in. To let them in again: lzsyncd web-user password {name}")


def new_password(
    context: typer.Context, name: NameArgument, site: SiteOption = None, password_stdin: PasswordOption = False
) -> None:
    """Give somebody a new password, which signs them out everywhere and lets them in again."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import note, say
    from lzsyncd.web.house import clock
    from lzsyncd.web.passwords import hashed
    from lzsyncd.web.store import kept

    with kept(chosen_site(configuration(context), site)) as store:
        password = _password(given=password_stdin)
        store.set_password(name, hashed(password))
        store.note(*BY_COMMAND, "set the password", name, clock())
    note(f"{name} has a new password{'.' if password_stdin else ', shown once:'}")
    if not password_stdin:
        say(password)


def add_token(context: typer.Context, name: NameArgument, role: RoleOption = "viewer", site: SiteOption = None) -> None:
    """Let a program use the page's API for a site. Prints its token, once."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import note, say
    from lzsyncd.web.access import new_token
    from lzsyncd.web.house import clock
    from lzsyncd.web.store import Role, kept

    chosen = chosen_site(configuration(context), site)
    secret = new_token(chosen)
    with kept(chosen) as store:
        store.add_token(_checked(name), Role(role), secret, clock())
        store.note(*BY_COMMAND, "added token", f"{name}, {role}", clock())
    note(f"The token of {name} for site {chosen.name}, as {role}; it is shown once:")
    say(secret)


def tokens_of(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """List the tokens of a site, with those that were revoked."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import Heading, say, say_json_list, say_table
    from lzsyncd.web.store import kept

    with kept(chosen_site(configuration(context), site)) as store:
        tokens = store.tokens()
    if as_json:
        say_json_list(vars(token) for token in tokens)
    elif not say_table(
        [*map(Heading, ("name", "role", "since (UTC)", "last used", "revoked"))],
        (
            [t.name, t.role, *(at[:16].replace("T", " ") for at in (t.created_at, t.used_at, t.revoked_at))]
            for t in tokens
        ),
    ):
        say("There is no token yet: lzsyncd web-token add NAME")


def revoke_token(context: typer.Context, name: NameArgument, site: SiteOption = None) -> None:
    """Make a token good for nothing, at once and for ever."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import say
    from lzsyncd.web.house import clock
    from lzsyncd.web.store import kept

    with kept(chosen_site(configuration(context), site)) as store:
        store.revoke_token(name, clock())
        store.note(*BY_COMMAND, "revoked token", name, clock())
    say(f"The token {name} is good for nothing any more.")
