"""Materialised paths: `path` is the ids from the root (`/1/7/42/`), `depth` the number of them. Always derived."""

from lzsyncd.feed.elements import Element
from lzsyncd.zone.database import Database


def refresh_paths(database: Database, element: Element) -> int:
    """Mend every path and depth that does not follow from the parents, also of records made by hand.

    Returns:
        How many rows were wrong.
    """
    table = f"lz_{element}"
    return database.run(
        "WITH RECURSIVE tree (id, path, depth) AS ("
        f"SELECT id, '/' || id || '/', 1 FROM {table} WHERE parent_id IS NULL UNION ALL "
        f"SELECT c.id, t.path || c.id || '/', t.depth + 1 FROM {table} c JOIN tree t ON c.parent_id = t.id) "
        f"UPDATE {table} SET path = tree.path, depth = tree.depth FROM tree "
        f"WHERE tree.id = {table}.id AND ({table}.path <> tree.path OR {table}.depth <> tree.depth)"
    )
