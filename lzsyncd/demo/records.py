"""Units, positions and people of a made-up company as cells, in the order of the files' columns, quoted already."""

import random
from datetime import date, timedelta

from lzsyncd.demo.names import DIVISIONS, FIRST_NAMES, FUNCTIONS, LAST_NAMES, PLACES, RANKS, TITLES
from lzsyncd.demo.structure import NOBODY, Spread, Structure, mixed

ORG_COLUMNS = ("idnumber", "fullname", "shortname", "typeidnumber", "parentidnumber")
POS_COLUMNS = ("idnumber", "fullname", "shortname", "parentidnumber")
USER_COLUMNS = (
    "idnumber", "username", "firstname", "lastname", "email", "orgidnumber", "posidnumber", "manageridnumber",
    "appraiseridnumber", "jobassignmentfullname", "jobassignmentstartdate", "suspended", "lang", "country", "city",
    "phone1", "department", "customfield_costcentre", "customfield_grade", "customfield_fte",
)  # fmt: skip
COLUMN = {name: index for index, name in enumerate(USER_COLUMNS)}

DOMAIN = "acme.test"
_FIRST_DAY = date(1999, 1, 4)
_DAYS = tuple(str(_FIRST_DAY + timedelta(days=day)) for day in range(27 * 365))
_KINDS = ("company", "division", "department")
_GRADES = tuple(f"G{grade}" for grade in range(1, 10))
_FTE = ("1", "1", "1", "1", "1", "0.8", "0.6", "0.5")
_POSITIONS_BELOW_ONE = 12
_FIRST_POSITION = 1_000  # in keys


class Records:
    """The company as it is before anybody changes, leaves or is broken.

    Attributes:
        users: people; numbers from here on are those who join.
        structure: who sits where.
        titles: what each position is called.
        salt: what this company's luck depends on.
    """

    def __init__(self, *, users: int, units: int, positions: int, seed: int, numbered: bool = False) -> None:
        chance = random.Random(seed)  # noqa: S311 example data
        self.users = users
        self.structure = Structure(users=users, units=units, seed=seed)
        self.titles = _titles(positions)
        self.salt = chance.getrandbits(64)
        self._numbered = numbered
        self._names = Spread(len(FIRST_NAMES) * len(LAST_NAMES), chance)

    def unit(self, unit: int) -> list[str]:
        """One unit's cells."""
        structure = self.structure
        kind = _KINDS[min(structure.depths[unit], len(_KINDS) - 1)]
        parent = unit_key(structure.parents[unit]) if unit else ""
        return [unit_key(unit), self._unit_name(unit), f"U{unit}", kind, parent]

    def _unit_name(self, unit: int) -> str:
        structure = self.structure
        division, city = DIVISIONS[structure.divisions[unit]], PLACES[structure.places[unit]].city
        match structure.depths[unit]:
            case 0:
                return "ACME"
            case 1:
                return division
            case 2:
                return f"{division} {city} {unit}"
            case _:
                return f"{FUNCTIONS[mixed(unit, self.salt) % len(FUNCTIONS)]} {city} {unit}"

    def position(self, position: int) -> list[str]:
        """One position's cells."""
        parent = position_key((position - 1) // _POSITIONS_BELOW_ONE) if position else ""
        return [position_key(position), self.titles[position], f"P{position}", parent]

    def has_positions_below(self, position: int) -> bool:
        """Whether another position hangs below this one."""
        return position * _POSITIONS_BELOW_ONE + 1 < len(self.titles)

    def names(self, number: int) -> tuple[int, int]:
        """Places of somebody's last and first name in the lists."""
        return divmod(self._names.at(number), len(FIRST_NAMES))

    def leads(self, number: int) -> bool:
        """Whether a person may have reports: then they must not leave, or the reports would be left dangling."""
        return self.structure.seat(number)[2]

    def is_suspended(self, number: int) -> bool:
        """Whether a person's record says so."""
        return self.person(number)[COLUMN["suspended"]] == "1"

    def person(self, number: int) -> list[str]:
        """One person's cells. Luck comes from 64 bits, a few for each cell."""
        bits = mixed(number, self.salt)
        structure = self.structure
        unit, manager, leads = structure.seat(number) if number < self.users else self._new_seat(bits)
        place = PLACES[structure.places[unit] if bits & 15 else (bits >> 4) % len(PLACES)]
        last, first = divmod(self._names.at(number), len(FIRST_NAMES))
        username = address = f"{FIRST_NAMES[first].latin}.{LAST_NAMES[last].latin}{number // self._names.size or ''}"
        if self._numbered:
            username = person_key(number).lower()
            address = f"{username}.{address}"
        position = (bits >> 4) % len(self.titles)
        head = structure.heads[unit]
        title, department = self.titles[position], DIVISIONS[structure.divisions[unit]]
        odd = (bits >> 8) % 1000
        if odd < 12:  # noqa: PLR2004 1.2 % of the rows have quotes
            title, department = _quoted(title, department, odd)
        return [
            person_key(number),
            username,
            FIRST_NAMES[first].written,
            LAST_NAMES[last].written,
            f"{address}@{DOMAIN}",
            unit_key(unit),
            position_key(position),
            "" if manager == NOBODY else person_key(manager),
            "" if head == number or not (bits >> 30) & 3 else person_key(head),
            title,
            self._hired(number, bits),
            "0" if leads or (bits >> 32) & 63 else "1",
            place.lang,
            place.country,
            place.city,
            f"{place.dial} {100_000 + (bits >> 38) % 900_000}",
            department,
            f"CC-{1_000 + unit % 9_000}",
            _GRADES[(bits >> 50) % 9],
            _FTE[bits >> 61],
        ]

    def _hired(self, number: int, bits: int) -> str:
        """Numbers are given in the order of hiring, more or less."""
        turn = number if number < self.users else self.users - 1
        return _DAYS[turn * (len(_DAYS) - 256) // self.users + (bits >> 20 & 255)]

    def _new_seat(self, bits: int) -> tuple[int, int, bool]:
        """Those who join report to the head of some unit."""
        unit = bits % self.structure.staffed
        return unit, self.structure.heads[unit], False


def _titles(positions: int) -> list[str]:
    """What positions are called; a number tells those of large companies apart."""
    titles = ["All positions"]
    for position in range(1, positions):
        turn, place = divmod(position, len(RANKS) * len(TITLES))
        name = f"{RANKS[place % len(RANKS)]} {TITLES[place // len(RANKS)]}".strip().capitalize()
        titles.append(f"{name} {turn + 1}" if turn else name)
    return titles


def _quoted(title: str, department: str, odd: int) -> tuple[str, str]:
    """Cells that need quotes: of 12, ten have a comma (one of them quotes inside), two a line break."""
    if odd < 2:  # noqa: PLR2004
        return title, f'"{department}\nFloor {odd + 2}"'
    if odd == 2:  # noqa: PLR2004
        return f'"{title}, ""second line"""', department
    return f'"{title}, {department}"', department


def person_key(number: int) -> str:
    """The idnumber of a person."""
    return f"E{1_000_001 + number}"


def unit_key(unit: int) -> str:
    """The idnumber of a unit."""
    return f"U{10_000 + unit}"


def position_key(position: int) -> str:
    """The idnumber of a position."""
    return f"P{_FIRST_POSITION + position}"


def position_number(key: str) -> int:
    """The position that has a key."""
    return int(key[1:]) - _FIRST_POSITION
