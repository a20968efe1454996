"""The region tree: lookups, searches and changes."""

from collections.abc import Iterable, Sequence

from anyascii import anyascii
from psycopg.rows import args_row
from rapidfuzz import fuzz, process

from db.connection import Connection
from db.sql import load_sections
from domain.locations import Location, LocationKind
from domain.pages import PageRequest

SQL = load_sections("locations")

MAX_SUGGESTIONS = 3
MIN_KEY_SCORE = 60
MIN_NAME_SCORE = 80
"""Similarity to a key or a name, in percent, of the text that it is suggested for."""


def normalize_for_search(text: str) -> str:
    """Return the text without accents and case: `Malmö` and `MALMO` become `malmo`."""
    return anyascii(text).casefold()


class SimilarLocations:
    """Search for the locations whose key or name resembles a text, for suggestions."""

    def __init__(self, locations: Iterable[Location]) -> None:
        pairs = [(location.key, normalize_for_search(location.name)) for location in locations]
        self._keys = [key for key, _ in pairs]
        self._lower_keys = [key.lower() for key in self._keys]
        self._names = [name for _, name in pairs]

    def closest_keys(self, text: str) -> list[str]:
        """Return up to MAX_SUGGESTIONS keys, the most similar first."""
        wanted = normalize_for_search(text)
        if not wanted:
            return []
        matches = [
            match
            for texts, least in ((self._lower_keys, MIN_KEY_SCORE), (self._names, MIN_NAME_SCORE))
            for match in process.extract(wanted, texts, scorer=fuzz.ratio, score_cutoff=least, limit=MAX_SUGGESTIONS)
        ]
        ranked = sorted(matches, key=lambda match: -match[1])
        return list(dict.fromkeys(self._keys[position] for _, _, position in ranked))[:MAX_SUGGESTIONS]


def _location(id: int, kind: str, key: str, name: str, parent_id: int | None) -> Location:  # noqa: A002
    return Location(id, LocationKind(kind), key, name, parent_id)


def _related(of_id: int, id: int, kind: str, key: str, name: str, parent_id: int | None) -> tuple[int, Location]:  # noqa: A002
    return of_id, _location(id, kind, key, name, parent_id)


def _pattern(search: str | None) -> str | None:
    """Return a LIKE pattern that matches the text anywhere, with its wildcards escaped."""
    if search is None or not search.strip():
        return None
    literal = normalize_for_search(search.strip()).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{literal}%"


async def find_locations(connection: Connection, keys: Iterable[str]) -> list[Location]:
    """Return the locations with these codes or slugs in any case, in no particular order."""
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(SQL["find_locations"], {"keys": [key.lower() for key in keys]})
        return await cursor.fetchall()


async def get_locations(connection: Connection, ids: Sequence[int]) -> list[Location]:
    """Return the locations with these IDs, in no particular order."""
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(SQL["get_locations"], {"ids": list(ids)})
        return await cursor.fetchall()


async def list_locations(connection: Connection) -> list[Location]:
    """Return the whole tree, by ID."""
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(SQL["list_locations"])
        return await cursor.fetchall()


async def list_children(connection: Connection, ids: Sequence[int]) -> list[Location]:
    """Return the direct children of these locations, by name."""
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(SQL["list_children"], {"ids": list(ids)})
        return await cursor.fetchall()


async def list_ancestors(connection: Connection, ids: Sequence[int]) -> list[tuple[int, Location]]:
    """Return a pair (requested ID, ancestor) for every ancestor, the nearest first."""
    async with connection.cursor(row_factory=args_row(_related)) as cursor:
        await cursor.execute(SQL["list_ancestors"], {"ids": list(ids)})
        return await cursor.fetchall()


async def list_ports_below(connection: Connection, ids: Sequence[int]) -> list[tuple[int, Location]]:
    """Return a pair (requested ID, port) for every port at any depth below, by name."""
    async with connection.cursor(row_factory=args_row(_related)) as cursor:
        await cursor.execute(SQL["list_ports_below"], {"ids": list(ids)})
        return await cursor.fetchall()


async def count_ports_below(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return the number of ports at any depth below each of these locations, by ID."""
    cursor = await connection.execute(SQL["count_ports_below"], {"ids": list(ids)})
    return dict(await cursor.fetchall())


async def search_locations(
    connection: Connection, page: PageRequest, *, search: str | None, kind: LocationKind | None
) -> list[Location]:
    """Return up to `page.limit` locations whose name or key contains `search`, by name."""
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(SQL["search_locations"], _page_parameters(page, search, kind))
        return await cursor.fetchall()


async def search_locations_backward(
    connection: Connection, page: PageRequest, *, search: str | None, kind: LocationKind | None
) -> list[Location]:
    """Like `search_locations`, but return the last page."""
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(SQL["search_locations_backward"], _page_parameters(page, search, kind))
        return (await cursor.fetchall())[::-1]


def _page_parameters(page: PageRequest, search: str | None, kind: LocationKind | None) -> dict[str, object]:
    return {
        "pattern": _pattern(search),
        "kind": kind,
        "after_id": page.after,
        "before_id": page.before,
        "limit": page.limit,
    }


async def count_locations(connection: Connection, *, search: str | None, kind: LocationKind | None) -> int:
    """Return the number of locations that match the search."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(SQL["count_locations"], {"pattern": _pattern(search), "kind": kind})
        return (await cursor.fetchall())[0]


async def upsert_locations(connection: Connection, locations: Sequence[tuple[LocationKind, str, str]]) -> None:
    """Insert or update locations, given as (kind, key, name), by key.

    Lock the tree first. The caller has checked that the kinds do not conflict.
    """
    await connection.execute(
        SQL["upsert_locations"],
        {
            "kinds": [kind for kind, _, _ in locations],
            "keys": [key for _, key, _ in locations],
            "names": [name for _, _, name in locations],
            "search_texts": [f"{normalize_for_search(name)} {normalize_for_search(key)}" for _, key, name in locations],
        },
    )


async def set_parents(connection: Connection, parents: Sequence[tuple[str, str | None]]) -> int:
    """Move each location under its parent and return how many moved.

    `parents` holds pairs (key, parent key or None). Lock the tree first.
    """
    cursor = await connection.execute(
        SQL["set_parents"],
        {"keys": [key for key, _ in parents], "parent_keys": [parent for _, parent in parents]},
    )
    return cursor.rowcount


async def lock_tree_shared(connection: Connection) -> None:
    """Lock the tree against changes until the transaction ends. Batches share this lock."""
    await connection.execute(SQL["lock_tree_shared"])


async def lock_tree_exclusive(connection: Connection) -> None:
    """Lock the tree exclusively until the transaction ends.

    Wait until the transactions of batches have ended.
    """
    await connection.execute(SQL["lock_tree_exclusive"])


async def is_tree_changing(connection: Connection) -> bool:
    """Return whether a change of the tree is being applied, or waits for running batches."""
    row = await (await connection.execute(SQL["is_tree_changing"])).fetchone()
    return row is not None and bool(row[0])
