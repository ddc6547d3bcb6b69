"""The accidents that have wiped others, replayed: each ends with a hold or findings, and changes nothing.

Totara, measured: half a file deletes half of the people, a row with a column too many is a person deleted.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lzsyncd.feed.elements import Element
from tests.laws.ground import ask, look
from tests.sync.desk import ON_SQLITE, Desk
from tests.sync.firm import Cells, Firm, changed, files, firm, text, without

Sets = dict[str, bytes]
GOOD = files(firm())


def with_people(data: bytes) -> Sets:
    return GOOD | {"user.csv": data}


def half_a_file() -> Sets:
    """The connection broke in the middle of a record."""
    whole = GOOD["user.csv"]
    return with_people(whole[: len(whole) // 2])


def cut_between_records() -> Sets:
    return files(changed(without(60)))


def header_only() -> Sets:
    return with_people(GOOD["user.csv"].split(b"\n")[0] + b"\n")


def an_extra_cell_in_every_record() -> Sets:
    header, *records = GOOD["user.csv"].splitlines()
    return with_people(b"\n".join([header, *(record + b",x" for record in records), b""]))


def all_keys_renumbered() -> Sets:
    def renumber(company: Firm) -> None:
        for cells in company["user"]:
            cells["idnumber"] = f"2026-{cells['idnumber']}"
            cells["manageridnumber"] = cells["manageridnumber"] and f"2026-{cells['manageridnumber']}"

    return files(changed(renumber))


def columns_shifted_by_one() -> Sets:
    """The header is right, and every value stands one column too far to the right."""

    def shift(cells: Cells) -> Cells:
        values = [*cells.values()]
        return dict(zip(cells, [values[-1], *values[:-1]]))

    return with_people(text([shift(cells) for cells in firm()["user"]]))


def addresses_at_a_new_domain() -> Sets:
    return with_people(GOOD["user.csv"].replace(b"@acme.test", b"@globex.test"))


def another_key_for_the_root() -> Sets:
    """The whole tree would move below a new root, and the old one go."""

    def rename(company: Firm) -> None:
        for cells in company["org"]:
            cells.update({name: "NEWROOT" for name, cell in cells.items() if cell == "ROOT"})

    return files(changed(rename))


def utf_16() -> Sets:
    return with_people(GOOD["user.csv"].decode().encode("utf-16"))


def latin_1() -> Sets:
    return with_people(GOOD["user.csv"].replace(b"Ann", "Ané".encode("latin-1")))


def no_manager_at_all() -> Sets:
    def forget(company: Firm) -> None:
        for cells in company["user"]:
            cells["manageridnumber"] = ""

    return files(changed(forget))


def an_old_file() -> Sets:
    """From before the last fifteen came, and without what changed since."""

    def as_it_was(company: Firm) -> None:
        del company["user"][-15:]
        for cells in company["user"]:
            cells["city"] = "Leeds"

    return files(changed(as_it_was))


ACCIDENTS: dict[Callable[[], Sets], tuple[str, set[str]]] = {
    half_a_file: ("unchanged", {"record.columns", "set.removals_withheld"}),
    cut_between_records: ("held", {"guard.exceeded"}),
    header_only: ("rejected", {"file.no_records"}),
    an_extra_cell_in_every_record: ("held", {"record.columns", "guard.exceeded"}),
    all_keys_renumbered: ("held", {"guard.exceeded"}),
    columns_shifted_by_one: ("held", {"user.email.invalid", "guard.exceeded"}),
    addresses_at_a_new_domain: ("held", {"guard.exceeded"}),
    another_key_for_the_root: ("held", {"guard.exceeded"}),
    utf_16: ("rejected", {"file.encoding"}),
    latin_1: ("held", {"record.encoding", "guard.exceeded"}),
    no_manager_at_all: ("held", {"guard.exceeded"}),
    an_old_file: ("held", {"guard.exceeded"}),
}


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda accident: accident.__name__)
def test_an_accident_changes_nothing(grown: Desk, accident: Callable[[], Sets]) -> None:
    user = replace(grown.site.element(Element.USER), empty="erase", missing="delete")
    grown.site = replace(grown.site, elements={**grown.site.elements, Element.USER: user})
    before = look(grown.site)
    run = grown.arrive(accident())
    status, codes = ACCIDENTS[accident]
    assert grown.status(run) == status
    assert codes <= set(grown.findings(run))
    assert look(grown.site) == before
    assert ask(grown.site, "SELECT 1 AS n FROM sync_change WHERE run_id = ?", run) == []
    assert status == "unchanged" or "Nothing was changed" in grown.outbox(run)


@ON_SQLITE
def test_another_name_for_the_root_is_no_accident(grown: Desk) -> None:
    run = grown.arrive(files(changed(lambda company: company["org"][0].update(fullname="Acme plc"))))
    assert (grown.status(run), grown.findings(run)) == ("applied", [])


@ON_SQLITE
def test_the_good_set_after_an_accident_goes_through(grown: Desk) -> None:
    accident = grown.arrive(cut_between_records())
    good = grown.arrive(GOOD)
    assert [grown.status(run) for run in (accident, good)] == ["superseded", "unchanged"]
