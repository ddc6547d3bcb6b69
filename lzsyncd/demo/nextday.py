"""What happens to people from one day to the next: they marry, move, are promoted, get another manager."""

from lzsyncd.demo.names import LAST_NAMES, PLACES
from lzsyncd.demo.records import COLUMN, DOMAIN, Records, person_key, position_key, position_number, unit_key
from lzsyncd.demo.structure import mixed

_NEW_DOMAIN = "acme-group.test"
_CITY_AFTER = {place.city: PLACES[index - 1].city for index, place in enumerate(PLACES)}


def change(records: Records, cells: list[str], number: int, place: int) -> None:
    """Change at least one of somebody's cells; what happens depends on their place among those who change.

    New managers are heads of units, and heads keep theirs: no change can close a circle.
    """
    match place % 7:
        case 0:
            _marry(records, cells, number)
        case 1:
            _new_address(cells)
        case 2 if _transfer(records, cells, number, same_unit=True):
            pass
        case 3 if _transfer(records, cells, number, same_unit=False):
            pass
        case 4:
            cells[COLUMN["city"]] = _CITY_AFTER[cells[COLUMN["city"]]]
        case 5:
            _promote(records, cells)
        case _:
            cells[COLUMN["phone1"]] += "0"


def _marry(records: Records, cells: list[str], number: int) -> None:
    last, _ = records.names(number)
    cells[COLUMN["lastname"]] = LAST_NAMES[last - 1].written
    _new_address(cells)


def _new_address(cells: list[str]) -> None:
    """Nobody else can have it: what stands before the @ is theirs alone."""
    cells[COLUMN["email"]] = cells[COLUMN["email"]].replace(DOMAIN, _NEW_DOMAIN)


def _transfer(records: Records, cells: list[str], number: int, *, same_unit: bool) -> bool:
    """Somebody reports to the head of their own, or of another unit from now on. False where that changes nothing."""
    structure = records.structure
    unit = structure.unit_of(number)
    if structure.heads[unit] == number:
        return False
    if not same_unit:
        unit = (unit + 1 + mixed(number, records.salt) % max(1, structure.staffed - 1)) % structure.staffed
    before = list(cells)
    cells[COLUMN["orgidnumber"]] = unit_key(unit)
    cells[COLUMN["manageridnumber"]] = person_key(structure.heads[unit])
    return cells != before


def _promote(records: Records, cells: list[str]) -> None:
    position = (position_number(cells[COLUMN["posidnumber"]]) + 1) % len(records.titles)
    cells[COLUMN["posidnumber"]] = position_key(position)
    cells[COLUMN["jobassignmentfullname"]] = records.titles[position]
    cells[COLUMN["customfield_grade"]] = "G8" if cells[COLUMN["customfield_grade"]] == "G9" else "G9"
