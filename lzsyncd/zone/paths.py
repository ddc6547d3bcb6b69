"""Materialised paths: `path` is the ids from the root (`/1/7/42/`), `depth` the number of them. Always derived."""

from lzsyncd.feed.elements import Element
from lzsyncd.zone.images import PATHS, Images


def refresh_paths(images: Images, element: Element, spared: str = "FALSE") -> int:
    """Mend every path and depth that does not follow from the parents, also of records made by hand.

    Args:
        images: where the old ones are kept.
        element: whose units.
        spared: SQL that picks rows (`u`) whose path stays as it is.

    Returns:
        How many rows were wrong.
    """
    table, database = f"lz_{element}", images.database
    database.table_of(
        f"path_{element}",
        "WITH RECURSIVE tree (id, path, depth) AS ("
        f"SELECT id, '/' || id || '/', 1 FROM {table} WHERE parent_id IS NULL UNION ALL "
        f"SELECT c.id, t.path || c.id || '/', t.depth + 1 FROM {table} c JOIN tree t ON c.parent_id = t.id) "
        f"SELECT tree.id, tree.path, tree.depth FROM tree JOIN {table} u ON u.id = tree.id "
        f"WHERE (u.path <> tree.path OR u.depth <> tree.depth) AND NOT ({spared})",
    )
    images.keep(PATHS[element], f"t.id IN (SELECT id FROM path_{element})")
    return database.run(
        f"UPDATE {table} SET path = p.path, depth = p.depth FROM path_{element} p WHERE p.id = {table}.id"
    )
