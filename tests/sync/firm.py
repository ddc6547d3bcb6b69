"""A company large enough for guards: a root, three divisions with teams, and people with managers in them."""

from collections.abc import Callable
from copy import deepcopy

from tests.laws.ground import csv_of

Cells = dict[str, str]
Firm = dict[str, list[Cells]]
DIVISIONS = ("N", "S", "E")
TEAMS, PEOPLE = 8, 40  # of each division


def firm() -> Firm:
    """25 + 3 units below one root, 24 positions, 120 people: a third in each division."""
    org = [{"idnumber": "ROOT", "fullname": "Acme", "parentidnumber": ""}]
    user: list[Cells] = []
    for division in DIVISIONS:
        org.append({"idnumber": division, "fullname": f"Division {division}", "parentidnumber": "ROOT"})
        teams = [f"{division}{number}" for number in range(TEAMS)]
        org += [{"idnumber": team, "fullname": f"Team {team}", "parentidnumber": division} for team in teams]
        user += [_person(division, number, teams[number % TEAMS]) for number in range(PEOPLE)]
    pos = [{"idnumber": f"P{n}", "fullname": f"Position {n}", "parentidnumber": ""} for n in range(24)]
    return {"org": org, "pos": pos, "user": user}


def _person(division: str, number: int, team: str) -> Cells:
    key = f"{division}{number:02}"
    manager = f"{division}00" if number else ""
    cells = {"idnumber": key, "username": f"n{key.lower()}", "firstname": "Ann", "lastname": f"Lee {key}"}
    cells |= {"email": f"{key.lower()}@acme.test", "orgidnumber": team, "posidnumber": "P1"}
    return cells | {"manageridnumber": manager, "city": "London"}


def changed(change: Callable[[Firm], object], company: Firm | None = None) -> Firm:
    """The company after a change."""
    after = deepcopy(company or firm())
    change(after)
    return after


def files(company: Firm) -> dict[str, bytes]:
    """The set."""
    return {f"{element}.csv": text(rows) for element, rows in company.items()}


def text(rows: list[Cells]) -> bytes:
    names = list(rows[0])
    return csv_of(",".join(names), *(",".join(cells[name] for name in names) for cells in rows))


def set_cell(element: str, column: str, number: int, value: Callable[[Cells], str]) -> Callable[[Firm], None]:
    """A change: a cell of the first so many records."""

    def change(company: Firm) -> None:
        for cells in company[element][:number]:
            cells[column] = value(cells)

    return change


def without(number: int, element: str = "user") -> Callable[[Firm], None]:
    """A change: the last so many records are gone."""

    def change(company: Firm) -> None:
        del company[element][-number:]

    return change
