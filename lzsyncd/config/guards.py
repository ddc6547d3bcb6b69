"""`[sites.NAME.guard]`: limits on a plan, each a share or a number (CONTRACT section 10)."""

import re
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

from lzsyncd.config.values import SECONDS, BadValueError, boolean, duration, one_of, whole_number

if TYPE_CHECKING:
    from lzsyncd.config.table import Table  # which knows the models, and they know us

OnExceed = Literal["hold", "withhold-removals"]
MOST = 10**9
YEAR = 366 * SECONDS["d"]

_SHARE = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) ?%", re.ASCII)


@dataclass(frozen=True)
class Limit:
    """More than this is too much.

    Attributes:
        number: of records, or percent.
        is_share: whether it is percent.
    """

    number: Decimal
    is_share: bool = True

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_share else str(self.number)

    def exceeded_by(self, count: int, base: int) -> bool:
        """Whether so many of so many are strictly more."""
        return count * 100 > self.number * base if self.is_share else count > self.number


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Limits on what one run may change; None is no limit.

    Attributes:
        max_removed: records that go.
        max_updated: records that change.
        max_created: new records.
        max_key_changes: people who get another username or e-mail address.
        max_moved: people in another unit, units below another parent.
        max_manager_changes: people with another manager.
        max_unassigned: learning that is taken away by rules, of what is assigned.
        max_rejected: rejected records, of those read.
        min_records: where fewer managed records stand nothing is judged.
        lost_column: a column that the last applied set had and this one has not is too much.
        on_exceed: all waits, or only the removals of the element.
        approval_valid: seconds for which a hold can be approved.
    """

    max_removed: Limit | None = Limit(Decimal(10))
    max_updated: Limit | None = Limit(Decimal(75))
    max_created: Limit | None = None
    max_key_changes: Limit | None = Limit(Decimal(5))
    max_moved: Limit | None = Limit(Decimal(25))
    max_manager_changes: Limit | None = None
    max_unassigned: Limit | None = Limit(Decimal(10))
    max_rejected: Limit | None = Limit(Decimal(20))
    min_records: int = 20
    lost_column: bool = True
    on_exceed: OnExceed = "hold"
    approval_valid: float = 7.0 * SECONDS["d"]


LIMITS = tuple(field.name for field in fields(Guard) if field.name.startswith("max_"))


def guard(table: "Table") -> Guard:
    """The guard that a table describes."""
    plain = Guard()
    limits = {name: table.take(name, limit, getattr(plain, name)) for name in LIMITS}
    found = Guard(
        **limits,
        min_records=table.take("min_records", whole_number(0, MOST), plain.min_records),
        lost_column=table.take("lost_column", boolean, plain.lost_column),
        on_exceed=table.take("on_exceed", one_of(*get_args(OnExceed)), plain.on_exceed),
        approval_valid=table.take("approval_valid", duration(60, YEAR), plain.approval_valid),
    )
    table.finish()
    return found


def limit(value: Any) -> Limit | None:
    """A share like `10%`, a whole number, or `none`."""
    if value == "none":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
        return Limit(Decimal(value), is_share=False)
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise BadValueError('must be a share in quotes, like "10%", a whole number of records, or "none"')
    return Limit(Decimal(match[1]))
