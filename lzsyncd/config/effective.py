"""The configuration as it takes effect, defaults included, as TOML that reads back as the same configuration."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from lzsyncd.config.guards import LIMITS, Guard, Limit
from lzsyncd.config.models import Config, ElementConfig, Mail, Site
from lzsyncd.config.places import key_name, quoted
from lzsyncd.config.remote import Remote
from lzsyncd.config.secrets import Secret
from lzsyncd.config.values import byte_size_text, duration_text
from lzsyncd.feed.elements import Column, Element
from lzsyncd.learning.rules import MOVING, Audience, Condition, FieldKind, Group
from lzsyncd.service.slots import Schedule

Value = str | bool | int | Path | ZoneInfo | Secret | Schedule | Limit | tuple[str, ...]


def effective(config: Config) -> str:
    """Every key with its value, for people. A secret is shown as the place where it is kept."""
    lines = [
        *_table(
            "daemon",
            data_dir=config.daemon.data_dir,
            workers=config.daemon.workers,
            runtime_dir=config.daemon.runtime_dir,
        ),
        *_table("log", level=config.log.level, file=config.log.file),
        *(_mail(config.mail) if config.mail else ()),
        *_table("metrics", textfile=config.metrics.textfile, token=config.metrics.token),
        *_table("web", listen=config.web.listen, tls_cert=config.web.tls_cert, tls_key=config.web.tls_key),
        *(line for site in config.sites.values() for line in _site(site)),
    ]
    return "\n".join(lines).lstrip() + "\n"


def _mail(mail: Mail) -> Iterator[str]:
    yield from _table(
        "mail",
        host=mail.host,
        port=mail.port,
        security=mail.security,
        username=mail.username or None,
        password=mail.password,
        **{"from": mail.sender},
    )


def _site(site: Site) -> Iterator[str]:
    yield from _table(
        f"sites.{site.name}",
        database=site.database,
        password=site.password,
        page_role=site.page_role or None,
        page_password=site.page_password,
        inbox=site.inbox,
        outbox=site.outbox,
        timezone=site.timezone,
        max_file_size=byte_size_text(site.max_file_size),
        schedule=site.schedule,
        apply=site.apply,
        settle=duration_text(site.settle),
        set_window=duration_text(site.set_window),
        incomplete=site.incomplete,
        run_timeout=duration_text(site.run_timeout),
        feed_expected_every=duration_text(site.feed_expected_every) if site.feed_expected_every else None,
        feed_grace=duration_text(site.feed_grace),
        retention=duration_text(site.retention),
    )
    yield from _table(
        f"sites.{site.name}.notify",
        to=site.notify.to,
        on=site.notify.on,
        attach_up_to=byte_size_text(site.notify.attach_up_to),
        chat=site.notify.chat,
    )
    yield from _guard(f"sites.{site.name}.guard", site.guard)
    if site.remote:
        yield from _remote(f"sites.{site.name}.remote", site.remote)
    for element, config in site.elements.items():
        yield from _element(f"sites.{site.name}.{element}", element, config)
    for audience in site.audiences:
        yield from _audience(f"sites.{site.name}.audiences", audience)


def _guard(name: str, guard: Guard) -> Iterator[str]:
    yield from _table(
        name,
        **{limit: getattr(guard, limit) or "none" for limit in LIMITS},
        min_records=guard.min_records,
        lost_column=guard.lost_column,
        on_exceed=guard.on_exceed,
        approval_valid=duration_text(guard.approval_valid),
    )


def _remote(name: str, remote: Remote) -> Iterator[str]:
    yield from _table(
        name,
        host=remote.host,
        port=remote.port,
        username=remote.username,
        password=remote.password,
        key=remote.key,
        host_key=remote.host_key,
        folder=remote.folder,
        reports=remote.reports or None,
        after=remote.after,
        move_to=remote.move_to,
        every=None if remote.schedule else duration_text(remote.every),
        schedule=remote.schedule,
        timeout=duration_text(remote.timeout),
        time_limit=duration_text(remote.time_limit),
    )


def _element(name: str, element: Element, config: ElementConfig) -> Iterator[str]:
    is_user = element is Element.USER
    yield from _table(
        name,
        enabled=config.enabled,
        schedule=config.schedule,
        contains_all_records=config.contains_all_records,
        create=config.create,
        update=config.update,
        unreadable=config.unreadable,
        missing=config.missing,
        on_deleted=config.on_deleted,
        unknown_reference=config.unknown_reference if is_user else None,
        allow_duplicate_emails=config.allow_duplicate_emails if is_user else None,
        empty=config.empty,
        delimiter=config.delimiter,
        date_formats=config.date_formats,
    )
    if config.column_map:
        yield from _table(f"{name}.columns", **config.column_map)
    for column in config.custom:
        yield from _field(f"{name}.customfields.{column.custom_name}", column)


def _audience(name: str, audience: Audience) -> Iterator[str]:
    yield ""
    yield f"[[{name}]]"
    yield f"name = {quoted(audience.name)}"
    yield f"match = {quoted(audience.rule.match)}"
    yield from ("rules = [", *(f"  {_rule(rule)}," for rule in audience.rule.rules), "]")
    yield f"assign = {_toml(audience.assign)}"
    if audience.due is not None:
        yield f"due = {quoted(duration_text(audience.due))}"
    yield f"on_leave = {quoted(audience.on_leave)}"
    yield f"never_remove_members = {_toml(audience.never_remove_members)}"


def _rule(rule: Condition | Group) -> str:
    if isinstance(rule, Group):
        return f"{{ {rule.match} = [{', '.join(map(_rule, rule.rules))}] }}"
    return f"{{ field = {quoted(rule.field.name)}, {rule.operator} = {_value(rule)} }}"


def _value(condition: Condition) -> str:
    value = condition.value
    if condition.operator in MOVING:
        return quoted(f"{value}d")
    if condition.field.kind is FieldKind.BOOLEAN and isinstance(value, str):
        return _toml(value in ("1", "true"))
    return _toml(value)


def _field(name: str, column: Column) -> Iterator[str]:
    yield from _table(
        name,
        type=column.kind.value,
        required=column.required,
        unique=column.unique,
        options=column.options or None,
        default=column.default or None,
    )


def _table(name: str, /, **values: Value | None) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    for key, value in values.items():
        if value is not None:
            yield f"{key_name(key)} = {_toml(value)}"


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(quoted, value))}]"
    if isinstance(value, Limit) and not value.is_share:
        return str(value)
    if isinstance(value, Secret):
        return f"{{{value.source} = {quoted(value.name)}}}"
    return quoted(value.key if isinstance(value, ZoneInfo) else str(value))
