"""`[sites.NAME.guard]`: limits are shares, numbers or none; whatever is wrong is told with line, key and a way out."""

from decimal import Decimal

import pytest

from lzsyncd.config import ConfigError, Guard, Limit, effective, parse


def guard_of(text: str) -> Guard:
    return parse(f"[sites.acme.guard]\n{text}").sites["acme"].guard


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ('"10%"', Limit(Decimal(10))),
        ('"2.5 %"', Limit(Decimal("2.5"))),
        ("0", Limit(Decimal(0), is_share=False)),
        ("500", Limit(Decimal(500), is_share=False)),
        ('"none"', None),
    ],
)
def test_a_limit_is_a_share_a_number_or_none(written: str, limit: Limit | None) -> None:
    found = parse(f"[sites.acme.guard]\nmax_removed = {written}")
    assert found.sites["acme"].guard.max_removed == limit
    assert parse(effective(found)) == found


def test_what_is_not_said_is_the_default() -> None:
    plain = guard_of("")
    assert plain == Guard()
    assert (str(plain.max_removed), plain.max_created, plain.approval_valid) == ("10%", None, 604_800.0)


@pytest.mark.parametrize("written", ["true", '"10"', '"ten%"', "-1", "0.1", '"-5%"', '"%"'])
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match=r':2: sites\.acme\.guard\.max_moved: must be a share in quotes, like "10%"'):
        guard_of(f"max_moved = {written}")


def test_everything_wrong_with_a_guard_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        guard_of('max_remove = "1%"\non_exceed = "withold-removals"\nmin_records = -1\napproval_valid = "1s"')
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        f"sites.acme.guard.{key}" for key in ("max_remove", "on_exceed", "min_records", "approval_valid")
    ]
    assert 'did you mean "max_removed"?' in lines[0]
    assert 'did you mean "withhold-removals"?' in lines[1]


@pytest.mark.parametrize(
    ("limit", "count", "base", "over"),
    [
        (Limit(Decimal(10)), 10, 100, False),
        (Limit(Decimal(10)), 11, 100, True),
        (Limit(Decimal("0.1")), 1, 1000, False),
        (Limit(Decimal("0.1")), 2, 1999, True),
        (Limit(Decimal(0)), 1, 10**6, True),
        (Limit(Decimal(3), is_share=False), 3, 3, False),
        (Limit(Decimal(3), is_share=False), 4, 10**6, True),
    ],
)
def test_over_a_limit_is_strictly_more(limit: Limit, count: int, base: int, over: bool) -> None:
    assert limit.exceeded_by(count, base) is over
