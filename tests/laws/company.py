"""One small company by hand, and its next day, in which every kind of change happens once."""

from tests.laws.ground import SYNC, csv_of
from tests.reference.model import Policy, Site

UNITS = "idnumber,fullname,parentidnumber"
PEOPLE = "idnumber,username,firstname,lastname,email,orgidnumber,posidnumber,manageridnumber,city"

DELETES = Site(
    org=Policy(missing="delete"), pos=Policy(missing="delete"), user=Policy(missing="delete"), incomplete="sync"
)
"""A site whose people and units go for good."""

DAY_ONE = {
    "org.csv": csv_of(UNITS, "A,Acme,", "N,North,A", "S,South,A", "E,East,S"),
    "pos.csv": csv_of(UNITS, "D,Driver,", "L,Loader,"),
    "user.csv": csv_of(
        PEOPLE,
        "1,ann,Ann,Lee,ann@a.test,A,D,,London",
        "2,bob,Bob,Lee,bob@a.test,N,D,1,London",
        "3,cyd,Cyd,Lee,cyd@a.test,S,L,1,London",
        "4,dee,Dee,Lee,dee@a.test,E,L,3,London",
    ),
}
DAY_TWO = {
    # units: one is renamed, one is new, one moves below it, one goes
    "org.csv": csv_of(UNITS, "A,Acme plc,", "N,North,W", "W,West,A", "S,South,A"),
    "pos.csv": csv_of(UNITS, "D,Driver,", "P,Porter,"),
    # people: two swap usernames, one is new, one goes
    "user.csv": csv_of(
        PEOPLE,
        "1,bob,Ann,Lee,ann@a.test,A,D,,London",
        "2,ann,Bob,Lee,bob@a.test,W,P,3,Leeds",
        "3,cyd,Cyd,Lee,cyd@a.test,S,D,1,London",
        "5,eve,Eve,Lee,eve@a.test,W,P,2,York",
        "6,fay,Fay,Lee,nobody,W,P,2,York",
    ),
}
BROKEN = DAY_TWO | {"org.csv": b"idnumber,parentidnumber\nA,\n"}
"""A set that is rejected: a column is missing."""

__all__ = ["BROKEN", "DAY_ONE", "DAY_TWO", "DELETES", "PEOPLE", "SYNC", "UNITS"]
