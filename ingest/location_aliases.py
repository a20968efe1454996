"""Aliases of locations: other codes and names, loaded from files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.connection import Connection
from db.repositories import audit, locations, versions
from db.repositories.audit import COMMAND, Action
from db.repositories.locations import alias_forms
from domain.locations import Location
from ingest.errors import TreeRejected

MAX_ALIAS_LENGTH = 63
MAX_SOURCE_LENGTH = 200
MAX_AUDITED_ALIASES = 10
"""Maximum number of aliases of a change that the audit entry lists."""


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """Requested alias of a location.

    Attributes:
        alias: Code or name in lower case, without accents, and with single blanks between its words.
        key: None removes the alias.
        place: Source of the entry, for messages; `number` is its position there, from 1.
    """

    alias: str
    key: str | None
    source: str
    place: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class AliasChange:
    """Numbers of aliases that a change has added, replaced, removed and left as they were."""

    added: int
    changed: int
    removed: int
    unchanged: int


def normalize(alias: str, key: str, source: str, place: str, number: int) -> AliasEntry:
    """Return the entry of a row. Raise TreeRejected (INVALID_NAME)."""
    forms = alias_forms(alias)
    if not forms or len(alias) > MAX_ALIAS_LENGTH or len(forms[-1]) > MAX_ALIAS_LENGTH or not alias.isprintable():
        message = (
            f"{place}: an alias must have 1 to {MAX_ALIAS_LENGTH} printable characters, among them letters or digits"
        )
        raise TreeRejected("INVALID_NAME", message, number)
    if len(source) > MAX_SOURCE_LENGTH or not source.isprintable():
        message = f"{place}: the source must have at most {MAX_SOURCE_LENGTH} printable characters"
        raise TreeRejected("INVALID_NAME", message, number)
    return AliasEntry(forms[-1], key.strip().lower() or None, source.strip(), place, number)


async def change_aliases(connection: Connection, entries: Sequence[AliasEntry], *, by: str = COMMAND) -> AliasChange:
    """Add, replace or remove aliases in one transaction, and return their numbers.

    An entry replaces the former meanings of its alias. Raise TreeRejected, and change nothing, for an alias of several
    locations (AMBIGUOUS_ALIAS), an alias that is a key (LOCATION_CLASH) or an unknown key (UNKNOWN_LOCATION).
    """
    async with connection.transaction():
        tree = await locations.list_locations(connection)
        keys = {location.key.lower(): location.key for location in tree}
        wanted = _check_entries(entries, keys)
        _check_names(wanted, tree)
        former = await locations.delete_aliases(connection, list(wanted))
        rows = [(alias, keys[entry.key], entry.source) for alias, entry in wanted.items() if entry.key is not None]
        await locations.insert_aliases(connection, rows)
        detail = f"{len(wanted)} aliases: {', '.join(list(wanted)[:MAX_AUDITED_ALIASES])}"
        await audit.insert_entry(connection, by, Action.CHANGE_ALIASES, detail=detail)
        await versions.announce_change(connection, "aliases")
    return _count(wanted, former)


def _count(wanted: Mapping[str, AliasEntry], former: Iterable[tuple[str, str, str]]) -> AliasChange:
    """Return the numbers of aliases by what has become of them.

    An alias may have had several meanings.
    """
    meanings: dict[str, set[tuple[str | None, str]]] = {}
    for alias, key, source in former:
        meanings.setdefault(alias, set()).add((key.lower(), source))
    kept = [(entry, meanings.get(alias)) for alias, entry in wanted.items() if entry.key is not None]
    added = sum(meaning is None for _, meaning in kept)
    changed = sum(meaning not in (None, {(entry.key, entry.source)}) for entry, meaning in kept)
    removed = len(meanings) - (len(kept) - added)
    return AliasChange(added, changed, removed, len(wanted) - added - changed - removed)


def _check_names(wanted: Mapping[str, AliasEntry], tree: Iterable[Location]) -> None:
    """Raise TreeRejected (AMBIGUOUS_ALIAS) for an alias that is the name of another location.

    It would stand for neither.
    """
    for location in tree:
        entry = next((wanted[form] for form in alias_forms(location.name) if form in wanted), None)
        if entry is not None and entry.key not in {None, location.key.lower()}:
            message = f"{entry.place}: {entry.alias} is the name of {location.key}, so it cannot be an alias of another"
            raise TreeRejected("AMBIGUOUS_ALIAS", message, entry.number)


def _check_entries(entries: Iterable[AliasEntry], keys: Mapping[str, str]) -> dict[str, AliasEntry]:
    """Return the entries by alias.

    Raise TreeRejected for the first that contradicts another entry or a key.
    """
    wanted = dict[str, AliasEntry]()
    for entry in entries:
        if entry.key is not None and entry.alias in keys:
            message = f"{entry.place}: {entry.alias} is already the key of a location; choose another alias"
            raise TreeRejected("LOCATION_CLASH", message, entry.number)
        if entry.key is not None and entry.key not in keys:
            raise TreeRejected(
                "UNKNOWN_LOCATION",
                f"{entry.place}: unknown location {entry.key!a}; add it first, or correct the key",
                entry.number,
            )
        other = wanted.setdefault(entry.alias, entry)
        if other.key != entry.key:
            message = (
                f"{entry.place}: {entry.alias} stands for another location in {other.place}; remove one of the two"
            )
            raise TreeRejected("AMBIGUOUS_ALIAS", message, entry.number)
    return wanted
