"""The region tree: lookups, searches and changes."""

import re
from collections.abc import Iterable, Mapping, Sequence

from anyascii import anyascii
from psycopg.rows import args_row
from rapidfuzz import fuzz, process

from db.connection import Connection
from db.pipeline import execute_whole_pipeline, format_integers
from db.sql import load_sections
from domain.locations import Location, LocationKind, normalize_code
from domain.pages import PageRequest

SQL = load_sections("locations")

WORD_SEPARATOR = re.compile(r"[^a-z0-9]+")
SPACED_CODE_LENGTH = len("nl rtm")
MAX_SUGGESTIONS = 3
MIN_KEY_SCORE = 60
MIN_NAME_SCORE = 80
"""Similarity to a key or a name, in percent, of the text that it is suggested for."""


def normalize_for_search(text: str) -> str:
    """Return the text without accents and case: `Malmö` and `MALMO` become `malmo`."""
    return anyascii(text).casefold()


def split_words(text: str) -> str:
    """Return normalized text with one blank instead of all that separates words.

    The blank at the end stays: `us_` is the whole word `us`, and `us` the beginning of one.
    """
    return WORD_SEPARATOR.sub(" ", text).lstrip()


def alias_forms(text: str) -> list[str]:
    """Return the forms in which a name or code may be stored as an alias.

    They are its words, and a UN/LOCODE also without its blank. A text without letters and digits has none.
    """
    words = split_words(normalize_for_search(text)).rstrip()
    # A batch may have a million unknown ports, and the check for a code takes longer than the rest.
    if len(words) == SPACED_CODE_LENGTH and (code := normalize_code(words)) != words:
        return [words, code]
    return [words] if words else []


class SimilarLocations:
    """Search for the locations whose key, name or alias resembles a text, for suggestions.

    The locations are pairs of a key and a name, the aliases pairs of an alias and a key. Aliases of other locations are
    ignored.
    """

    def __init__(self, locations: Iterable[tuple[str, str]], aliases: Iterable[tuple[str, str]] = ()) -> None:
        names = {key: normalize_for_search(name) for key, name in locations}
        self._lower_keys = [key.lower() for key in names]
        known = [(alias, key) for alias, key in aliases if key in names]
        self._names = [*names.values(), *(alias for alias, _ in known)]
        self._keys = [*names, *(key for _, key in known)]

    @property
    def comparison_count(self) -> int:
        """Number of texts that a text is compared with."""
        return len(self._lower_keys) + len(self._names)

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


def _named(alias: str, id: int, kind: str, key: str, name: str, parent_id: int | None) -> tuple[str, Location]:  # noqa: A002
    return alias, _location(id, kind, key, name, parent_id)


def _related(of_id: int, id: int, kind: str, key: str, name: str, parent_id: int | None) -> tuple[int, Location]:  # noqa: A002
    return of_id, _location(id, kind, key, name, parent_id)


async def _fetch_locations(
    connection: Connection, statement: bytes, parameters: Mapping[str, object] | None = None
) -> list[Location]:
    async with connection.cursor(row_factory=args_row(_location)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


async def find_locations(connection: Connection, keys: Iterable[str]) -> list[Location]:
    """Return the locations with these codes or slugs in any case, in no particular order."""
    return await _fetch_locations(connection, SQL["find_locations"], {"keys": [key.lower() for key in keys]})


async def get_locations(connection: Connection, ids: Sequence[int]) -> list[Location]:
    """Return the locations with these IDs, in no particular order."""
    return await _fetch_locations(connection, SQL["get_locations"], {"ids": list(ids)})


async def list_locations(connection: Connection) -> list[Location]:
    """Return the whole tree, by ID."""
    return await _fetch_locations(connection, SQL["list_locations"])


async def list_names(connection: Connection) -> list[tuple[str, str]]:
    """Return the key and name of every location, by ID."""
    # Two arrays are decoded in C. Ten thousand rows would block the event loop for tens of milliseconds.
    row = await (await connection.execute(SQL["list_names"])).fetchone()
    return [*zip(row[0] or (), row[1] or (), strict=True)] if row is not None else []


async def list_children(connection: Connection, ids: Sequence[int]) -> list[Location]:
    """Return the direct children of these locations, by name."""
    return await _fetch_locations(connection, SQL["list_children"], {"ids": list(ids)})


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


async def list_port_ids(connection: Connection, ids: Iterable[int]) -> dict[int, list[int]]:
    """Return the IDs of the ports at any depth below each of these locations, by ID.

    A port is below itself. A region without ports is missing.
    """
    [rows] = await execute_whole_pipeline(
        connection, SQL["list_port_ids"], [(format_integers(ids),)], lambda _number, rows: rows
    )
    return dict(rows)


async def count_ports_below(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return the number of ports at any depth below each of these locations, by ID."""
    cursor = await connection.execute(SQL["count_ports_below"], {"ids": list(ids)})
    return dict(await cursor.fetchall())


async def list_page(connection: Connection, page: PageRequest, *, kind: LocationKind | None) -> list[Location]:
    """Return up to `page.limit` locations, by name."""
    return await _fetch_locations(connection, SQL["list_page"], _page_parameters(page, kind))


async def list_page_backward(connection: Connection, page: PageRequest, *, kind: LocationKind | None) -> list[Location]:
    """Like `list_page`, but return the last page."""
    return (await _fetch_locations(connection, SQL["list_page_backward"], _page_parameters(page, kind)))[::-1]


async def count_locations(connection: Connection, *, kind: LocationKind | None) -> int:
    """Return the number of locations of a kind, or of all."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(SQL["count_locations"], {"kind": kind})
        return (await cursor.fetchall())[0]


async def search_locations(
    connection: Connection, page: PageRequest, *, search: str, kind: LocationKind | None
) -> tuple[list[Location], int]:
    """Return up to `page.limit` matches of a text, the best first, and the number of all.

    The text is compared with keys and names, without case and accents. Without a letter, digit or other character of ASCII it
    has no match.
    """
    text = normalize_for_search(search.strip()).strip()
    if not text:
        return [], 0
    parameters = {
        "text": text,
        "key": normalize_code(text),
        "words": split_words(text),
        "is_backward": page.is_backward,
        **_page_parameters(page, kind),
    }
    cursor = await connection.execute(SQL["search_locations"], parameters)
    rows = await cursor.fetchall()
    return [_location(*columns) for _, *columns in rows if columns[0] is not None], rows[0][0]


def _page_parameters(page: PageRequest, kind: LocationKind | None) -> dict[str, object]:
    return {"kind": kind, "after_id": page.after, "before_id": page.before, "limit": page.limit}


async def find_named_locations(connection: Connection, aliases: Sequence[str]) -> list[tuple[str, Location]]:
    """Return a pair (alias, location) for every location that one of the aliases stands for.

    The aliases are in a form of `alias_forms`. The name of a location counts as its alias.
    """
    async with connection.cursor(row_factory=args_row(_named)) as cursor:
        await cursor.execute(SQL["find_named_locations"], {"aliases": list(aliases)})
        return await cursor.fetchall()


async def list_aliases(connection: Connection) -> list[tuple[str, str]]:
    """Return a pair (alias, key) for every alias of an existing location, by alias."""
    cursor = await connection.execute(SQL["list_aliases"])
    return [(alias, key) for alias, key in await cursor.fetchall()]


async def delete_aliases(connection: Connection, aliases: Sequence[str]) -> list[tuple[str, str, str]]:
    """Delete all aliases of these forms. Return those that existed as (alias, key, source)."""
    return await (await connection.execute(SQL["delete_aliases"], {"aliases": list(aliases)})).fetchall()


async def insert_aliases(connection: Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """Insert aliases, given as (alias, key, source), that do not exist."""
    aliases, keys, sources = ([row[column] for row in rows] for column in range(3))
    await connection.execute(SQL["insert_aliases"], {"aliases": aliases, "keys": keys, "sources": sources})


async def upsert_locations(connection: Connection, locations: Sequence[tuple[LocationKind, str, str]]) -> None:
    """Insert or update locations, given as (kind, key, name), by key.

    Lock the tree first. The caller has checked that the kinds do not conflict.
    """
    search_texts = [f"{normalize_for_search(name)} {normalize_for_search(key)}" for _, key, name in locations]
    kinds, keys, names = ([each[column] for each in locations] for column in range(3))
    parameters = {"kinds": kinds, "keys": keys, "names": names, "search_texts": search_texts}
    await connection.execute(SQL["upsert_locations"], parameters)


async def set_parents(connection: Connection, parents: Sequence[tuple[str, str | None]]) -> int:
    """Move each location under its parent and return how many moved.

    `parents` holds pairs (key, parent key or None). Lock the tree first.
    """
    cursor = await connection.execute(
        SQL["set_parents"],
        {"keys": [key for key, _ in parents], "parent_keys": [parent for _, parent in parents]},
    )
    return cursor.rowcount


async def list_id_ranges(connection: Connection, width: int) -> list[int]:
    """Return the first ID of every range of `width` IDs that contains a location, in order."""
    cursor = await connection.execute(SQL["list_id_ranges"], {"width": width})
    return [first_id for (first_id,) in await cursor.fetchall()]


async def try_lock_id_range(connection: Connection, first: int) -> bool:
    """Lock a range of origins, named by its first ID, against other compactions.

    Return whether this succeeded. The lock lasts until the transaction ends.
    """
    row = await (await connection.execute(SQL["try_lock_id_range"], {"first": first})).fetchone()
    return row is not None and bool(row[0])


async def lock_id_range(connection: Connection, first: int) -> None:
    """Wait for the lock of `try_lock_id_range`, and hold it until the transaction ends."""
    await connection.execute(SQL["lock_id_range"], {"first": first})


async def lock_tree_shared(connection: Connection) -> None:
    """Lock the tree against changes until the transaction ends. Batches share this lock."""
    await connection.execute(SQL["lock_tree_shared"])


async def lock_tree_exclusive(connection: Connection) -> None:
    """Wait for the transactions of batches, and lock the tree until this one ends."""
    await connection.execute(SQL["lock_tree_exclusive"])


async def try_lock_tree_exclusive(connection: Connection) -> bool:
    """Lock the tree exclusively until the transaction ends, if no batch is being applied.

    Return whether it is locked. Batches that begin do not wait behind the attempt.
    """
    row = await (await connection.execute(SQL["try_lock_tree_exclusive"])).fetchone()
    return row is not None and bool(row[0])


async def is_tree_changing(connection: Connection) -> bool:
    """Return whether a change of the tree is being applied, or waits for running batches."""
    row = await (await connection.execute(SQL["is_tree_changing"])).fetchone()
    return row is not None and bool(row[0])
