"""What became of every record of a zone, read off its tables before and after a run, and nothing else."""

from tests.laws.ground import Row, Tables

DERIVED = ("path", "depth", "updated_at")


def fates(before: Tables, after: Tables, element: str) -> dict[str, set[int]]:
    """The ids of those who were created, revived, removed and updated."""
    old, new = before[f"lz_{element}"], after[f"lz_{element}"]
    both = old.keys() & new.keys()
    found = {
        "created": new.keys() - old.keys(),
        "removed": (old.keys() - new.keys()) | {i for i in both if _went(old[i], new[i])},
        "revived": {i for i in both if _came_back(old[i], new[i])},
    }
    jobs = [_jobs(tables) if element == "user" else {} for tables in (before, after)]
    changed = {i for i in both if _own(old[i]) != _own(new[i])}
    changed |= {i for i in both if jobs[0].get(i) != jobs[1].get(i) and not new[i]["deleted"]}
    return {name: set(ids) for name, ids in found.items()} | {"updated": changed - found["removed"] - found["revived"]}


def _own(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in DERIVED}


def _jobs(tables: Tables) -> dict[int, Row]:
    return {row["user_id"]: row for row in tables["lz_job"].values()}


def _went(old: Row, new: Row) -> bool:
    flags = ("deleted", "suspended_by_feed") if "deleted" in old else ("hidden_by_feed",)
    return any(new[flag] and not old[flag] for flag in flags)


def _came_back(old: Row, new: Row) -> bool:
    """A deletion, or a suspension or hiding made by the feed, was lifted."""
    if old.get("deleted"):
        return not new["deleted"]
    by_feed, flag = ("suspended_by_feed", "suspended") if "suspended" in old else ("hidden_by_feed", "hidden")
    return bool(old[by_feed] and not new[by_feed] and not new[flag])
