"""Reads region and port files, checks the tree that they would make, and changes it together with its totals."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from db.connection import Connection
from db.repositories import audit, locations, totals, versions
from db.repositories.audit import COMMAND, Action
from domain.locations import Location, LocationKind, TreeChange, TreeEntry
from ingest.errors import TreeRejected

CODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
"""A UN/LOCODE: country, then three letters or digits 2 to 9 (UNECE Recommendation 16)."""
SLUG = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
MAX_NAME_LENGTH = 200
MAX_SLUG_LENGTH = 63
MAX_NAMED = 10
"""Locations of a change that the audit trail names."""
REGION_COLUMNS = ["slug", "name", "parent_slug"]
PORT_COLUMNS = ["code", "name", "parent_slug"]


def read_regions(data: bytes, name: str) -> list[TreeEntry]:
    """Read `slug,name,parent_slug`; an empty parent makes a root. Raise TreeRejected."""
    return list(_read(data, name, LocationKind.REGION))


def read_ports(data: bytes, name: str) -> list[TreeEntry]:
    """Read `code,name,parent_slug`; every port has a region. Raise TreeRejected."""
    return list(_read(data, name, LocationKind.PORT))


def _read(data: bytes, file: str, kind: LocationKind) -> Iterable[TreeEntry]:
    columns = REGION_COLUMNS if kind is LocationKind.REGION else PORT_COLUMNS
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TreeRejected("WRONG_ENCODING", f"{file}:{line}: not UTF-8") from error
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if header != columns:
            raise TreeRejected("WRONG_COLUMNS", f"{file}:1: the columns must be {','.join(columns)}")
        for number, row in enumerate(filter(None, reader), start=1):
            yield _entry(row, kind, f"{file}:{reader.line_num}", number)
    except csv.Error as error:
        raise TreeRejected("BROKEN_FILE", f"{file}:{reader.line_num}: not readable as CSV ({error})") from error


def _entry(row: Sequence[str], kind: LocationKind, place: str, number: int) -> TreeEntry:
    if len(row) != 3:
        raise TreeRejected("WRONG_COLUMNS", f"{place}: {len(row)} fields where 3 are due")
    key, name, parent = row
    return normalize(TreeEntry(kind, key, name, parent, place, number))


def normalize(entry: TreeEntry) -> TreeEntry:
    """Return the entry trimmed and in its usual case. Raise TreeRejected where key or name cannot be one."""
    key = entry.key.strip()
    key = key.upper() if entry.kind is LocationKind.PORT else key.lower()
    shown = repr(key[:40]).encode("ascii", "replace").decode()
    if entry.kind is LocationKind.PORT and not CODE.fullmatch(key):
        message = f"{entry.place}: {shown} is no UN/LOCODE (five characters, such as CNSGH)"
        raise TreeRejected("INVALID_CODE", message, entry.number)
    if entry.kind is LocationKind.REGION and (not SLUG.fullmatch(key) or len(key) > MAX_SLUG_LENGTH):
        message = f"{entry.place}: {shown} is no slug (a-z, 0-9, _ and -, such as north_europe)"
        raise TreeRejected("INVALID_SLUG", message, entry.number)
    name = None if entry.name is None else entry.name.strip()
    if name is not None and not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()):
        message = f"{entry.place}: the name must have 1 to {MAX_NAME_LENGTH} printable characters"
        raise TreeRejected("INVALID_NAME", message, entry.number)
    parent = (entry.parent_key or "").strip().lower() or None
    if parent is None and entry.kind is LocationKind.PORT:
        raise TreeRejected("UNKNOWN_PARENT", f"{entry.place}: the port {key} has no parent region", entry.number)
    return replace(entry, key=key, name=name, parent_key=parent)


async def change_tree(connection: Connection, entries: Sequence[TreeEntry], *, by: str = COMMAND) -> TreeChange:
    """Add or update the locations in one transaction; totals follow every location that moves.

    Raise TreeRejected, and change nothing, when the outcome would not be a tree.
    """
    async with connection.transaction():
        await locations.lock_tree_exclusive(connection)
        before = {location.key.lower(): location for location in await locations.list_locations(connection)}
        _check_tree(entries, before)
        await totals.store_ancestors(connection)
        named = [(entry.kind, entry.key, entry.name) for entry in entries if entry.name is not None]
        await locations.upsert_locations(connection, named)
        changed = await locations.set_parents(connection, [(entry.key, entry.parent_key) for entry in entries])
        if before and changed:
            await totals.create_day_sums(connection)
            await totals.collect_tree_change(connection)
            await totals.pack_day_sums(connection)
        change = _compare(entries, before)
        named_first = ", ".join(entry.key for entry in entries[:MAX_NAMED])
        detail = f"{change.added} added, {change.moved} moved: {named_first}"
        await audit.insert_entry(connection, by, Action.CHANGE_TREE, detail=detail)
        await versions.announce_change(connection, "tree")
    return change


def _compare(entries: Sequence[TreeEntry], before: Mapping[str, Location]) -> TreeChange:
    keys_of = {location.id: location.key for location in before.values()}
    added = sum(entry.key.lower() not in before for entry in entries)
    moved = sum(
        entry.key.lower() in before and keys_of.get(before[entry.key.lower()].parent_id or 0) != entry.parent_key
        for entry in entries
    )
    return TreeChange(added, moved, len(entries) - added - moved)


def _check_tree(entries: Sequence[TreeEntry], before: Mapping[str, Location]) -> None:
    """Raise TreeRejected for the first entry that does not fit, by its file and line."""
    kinds = {key: location.kind for key, location in before.items()}
    places: dict[str, str] = {}
    for entry in entries:
        key = entry.key.lower()
        if key in places:
            message = f"{entry.place}: {entry.key} stands already at {places[key]}"
            raise TreeRejected("DUPLICATE_LOCATION", message, entry.number)
        if entry.name is None and key not in kinds:
            raise TreeRejected("UNKNOWN_LOCATION", f"{entry.place}: there is no {entry.key} to move", entry.number)
        if kinds.setdefault(key, entry.kind) is not entry.kind:
            already = f"is already a {kinds[key].lower()}; codes and slugs share one namespace"
            raise TreeRejected("LOCATION_CLASH", f"{entry.place}: {entry.key} {already}", entry.number)
        places[key] = entry.place
    keys_of = {location.id: key for key, location in before.items()}
    parents = {key: keys_of.get(location.parent_id or 0) for key, location in before.items()}
    parents.update((entry.key.lower(), entry.parent_key) for entry in entries)
    for entry in entries:
        if entry.parent_key is not None and kinds.get(entry.parent_key) is not LocationKind.REGION:
            problem = "is a port" if entry.parent_key in kinds else "is not a known region"
            shown = entry.parent_key[:MAX_SLUG_LENGTH].encode("ascii", "replace").decode()
            raise TreeRejected("UNKNOWN_PARENT", f"{entry.place}: the parent {shown} {problem}", entry.number)
    for entry in entries:
        _check_cycle(entry, parents)


def _check_cycle(entry: TreeEntry, parents: Mapping[str, str | None]) -> None:
    start = entry.key.lower()
    met = [start]
    above = parents[start]
    while above is not None and above not in met:
        met.append(above)
        above = parents[above]
    if above == start:
        message = f"{entry.place}: {' → '.join([*met, start])} is a cycle"
        raise TreeRejected("REGION_CYCLE", message, entry.number)
