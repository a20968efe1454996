"""Region tree: validates changes and applies them."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import NamedTuple

from db.administration import moves
from db.connection import Connection, is_in_transaction
from db.repositories import audit, locations, sketches, versions
from db.repositories.audit import COMMAND, Action
from domain.locations import Location, LocationKind, TreeChange, TreeEntry, TreeMove, normalize_code
from ingest.errors import TreeRejected
from ingest.moves.plan import plan_move, with_ids
from ingest.moves.steps import SteppedChange, hold_tree_change_lock
from ingest.tree_totals import measure_move, move_totals

CODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
"""A UN/LOCODE: country, then three letters or digits 2 to 9 (UNECE Recommendation 16)."""
SLUG = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
MAX_NAME_LENGTH = 200
MAX_SLUG_LENGTH = 63
MAX_AUDITED_KEYS = 10
"""Maximum number of a change's locations that the audit entry lists by key."""
MAX_ROWS_AT_ONCE = 20_000
"""Rows of totals that a change moves in one transaction, in up to three seconds. More are moved in steps."""

Work = Callable[[Connection], Awaitable[object]]
"""Statements to execute in the transaction of a change."""


class Rule(NamedTuple):
    """A rule for an entry: when it is violated, and the error code and message for that case."""

    is_violated: Callable[[TreeEntry], bool]
    code: str
    message: Callable[[TreeEntry], str]


def _quote(text: str) -> str:
    """Return the beginning of an uploaded text as a GraphQL string, for a message."""
    return json.dumps(text[:MAX_SLUG_LENGTH])


ENTRY_RULES = (
    Rule(
        lambda entry: entry.kind is LocationKind.PORT and not CODE.fullmatch(entry.key),
        "INVALID_CODE",
        lambda entry: f"{_quote(entry.key)} is not a UN/LOCODE (five characters, such as CNSGH)",
    ),
    Rule(
        lambda entry: (
            entry.kind is LocationKind.REGION and not (len(entry.key) <= MAX_SLUG_LENGTH and SLUG.fullmatch(entry.key))
        ),
        "INVALID_SLUG",
        lambda entry: f"{_quote(entry.key)} is not a valid slug (a-z, 0-9, _ and -, such as north_europe)",
    ),
    Rule(
        lambda entry: (
            entry.name is not None and not (0 < len(entry.name) <= MAX_NAME_LENGTH and entry.name.isprintable())
        ),
        "INVALID_NAME",
        lambda _entry: f"the name must have 1 to {MAX_NAME_LENGTH} printable characters",
    ),
    Rule(
        lambda entry: entry.kind is LocationKind.PORT and entry.parent_key is None,
        "UNKNOWN_PARENT",
        lambda entry: f"port {entry.key} needs a parent region",
    ),
)
"""Rules for an entry by itself, checked in this order."""


def _require(rules: Iterable[Rule], entry: TreeEntry) -> None:
    """Raise TreeRejected for the first rule that the entry violates."""
    for rule in rules:
        if rule.is_violated(entry):
            raise TreeRejected(rule.code, f"{entry.place}: {rule.message(entry)}", entry.number)


def normalize(entry: TreeEntry) -> TreeEntry:
    """Return the entry trimmed and in its canonical case.

    Raise TreeRejected for an invalid key or name, or a port without parent.
    """
    normalized = replace(
        entry,
        key=normalize_code(entry.key).upper() if entry.kind is LocationKind.PORT else entry.key.strip().lower(),
        name=None if entry.name is None else entry.name.strip(),
        parent_key=(entry.parent_key or "").strip().lower() or None,
    )
    _require(ENTRY_RULES, normalized)
    return normalized


async def change_tree(
    connection: Connection,
    entries: Sequence[TreeEntry],
    *,
    by: str = COMMAND,
    max_moved_rows: int | None = None,
    report: Callable[[float], None] = lambda _fraction: None,
    before_commit: Work | None = None,
) -> TreeChange:
    """Add or update the locations, completely or not at all; the totals follow moved locations.

    Readers see the tree and the totals before the change until it commits. A change of few totals, or in a transaction of the
    caller, is one transaction, for which batches, dry runs and reverts wait. Otherwise it proceeds in steps, as
    `ingest.moves.steps` describes. `before_commit` runs at the end of the transaction that commits.

    Raise TreeRejected, and change nothing, if the result would not be a tree, or if the moved lanes have more than
    `max_moved_rows` rows of totals (TREE_CHANGE_TOO_LARGE). `report` receives the fraction of the totals that have moved.
    """
    change = _Change(connection, entries, by, max_moved_rows, report, before_commit)
    if is_in_transaction(connection):
        await moves.lock_tree_change(connection)
        return await change.apply_at_once()
    async with hold_tree_change_lock(connection):
        return await change.apply_in_steps() or await change.apply_at_once()


class _Change(NamedTuple):
    """Requested change of the tree."""

    connection: Connection
    entries: Sequence[TreeEntry]
    by: str
    max_moved_rows: int | None
    report: Callable[[float], None]
    before_commit: Work | None

    async def apply_at_once(self) -> TreeChange:
        """Apply the change in one transaction, during which the tree is locked."""
        async with self.connection.transaction():
            await locations.lock_tree_exclusive(self.connection)
            await sketches.declare_sketch_maintenance(self.connection)
            move = await self._plan()
            await measure_move(self.connection, move, max_rows=self.max_moved_rows)
            added = await self._add_locations(move)
            await move_totals(self.connection, with_ids(move, added), self.report)
            return await self._change_locations(move)

    async def apply_in_steps(self) -> TreeChange | None:
        """Apply the change in steps.

        Return None if it has not been applied: it is small, or other work has interfered again and again.
        """
        move = await self._plan()
        measured = await measure_move(self.connection, move, max_rows=self.max_moved_rows)
        if measured.row_count <= MAX_ROWS_AT_ONCE:
            return None
        steps = SteppedChange(
            self.connection,
            move,
            add_locations=partial(self._add_locations, move),
            change_locations=partial(self._change_locations, move),
        )
        return await steps.run(self.report)

    async def _plan(self) -> TreeMove:
        """Return the tree before and after the change.

        Raise TreeRejected if the result would not be a tree.
        """
        tree = await locations.list_locations(self.connection)

        def check_and_plan() -> TreeMove:
            PlannedTree(self.entries, {each.key.lower(): each for each in tree}).check()
            return plan_move(self.entries, tree)

        return await asyncio.to_thread(check_and_plan)

    async def _add_locations(self, move: TreeMove) -> Mapping[int, int]:
        """Insert the new locations; return their stored IDs, keyed by the negative IDs of the plan."""
        new = {each.key.lower(): each for each in move.after if each.id < 0}
        if not new:
            return {}
        await locations.upsert_locations(self.connection, [(each.kind, each.key, each.name) for each in new.values()])
        stored = await locations.find_locations(self.connection, new)
        return {new[each.key.lower()].id: each.id for each in stored}

    async def _change_locations(self, move: TreeMove) -> TreeChange:
        """Write names and parents, the audit entry and the announcement."""
        named = [(entry.kind, entry.key, entry.name) for entry in self.entries if entry.name is not None]
        await locations.upsert_locations(self.connection, named)
        await locations.set_parents(self.connection, [(entry.key, entry.parent_key) for entry in self.entries])
        change = _compare(self.entries, {location.key.lower(): location for location in move.before})
        named_first = ", ".join(entry.key for entry in self.entries[:MAX_AUDITED_KEYS])
        detail = f"{change.added} added, {change.moved} moved: {named_first}"
        await audit.insert_entry(self.connection, self.by, Action.CHANGE_TREE, detail=detail)
        await versions.announce_change(self.connection, "tree")
        if self.before_commit is not None:
            await self.before_commit(self.connection)
        return change


def _compare(entries: Sequence[TreeEntry], before: Mapping[str, Location]) -> TreeChange:
    keys_of = {location.id: location.key for location in before.values()}
    added = sum(entry.key.lower() not in before for entry in entries)
    moved = sum(
        entry.key.lower() in before and keys_of.get(before[entry.key.lower()].parent_id or 0) != entry.parent_key
        for entry in entries
    )
    return TreeChange(added, moved, len(entries) - added - moved)


class PlannedTree:
    """The tree that a change would produce, validated before anything is written."""

    def __init__(self, entries: Sequence[TreeEntry], before: Mapping[str, Location]) -> None:
        self._entries = entries
        self._known = before.keys()
        self._places: dict[str, str] = {}
        requested = {entry.key.lower(): entry.kind for entry in reversed(entries)}
        self._kinds = requested | {key: location.kind for key, location in before.items()}
        keys_of = {location.id: key for key, location in before.items()}
        self._parents = {key: keys_of.get(location.parent_id or 0) for key, location in before.items()}
        self._parents.update((entry.key.lower(), entry.parent_key) for entry in entries)

    def check(self) -> None:
        """Raise TreeRejected for the first entry that violates a rule.

        All keys are checked first, then all parents, then cycles.
        """
        key_rules = (
            Rule(self._is_duplicate, "DUPLICATE_LOCATION", self._describe_duplicate),
            Rule(self._is_unknown, "UNKNOWN_LOCATION", lambda entry: f"unknown location {entry.key}"),
            Rule(self._is_clash, "LOCATION_CLASH", self._describe_clash),
        )
        for entry in self._entries:
            _require(key_rules, entry)
            self._places[entry.key.lower()] = entry.place
        for rule in (
            Rule(self._has_unknown_parent, "UNKNOWN_PARENT", self._describe_parent),
            Rule(self._is_in_cycle, "REGION_CYCLE", self._describe_cycle),
        ):
            for entry in self._entries:
                _require((rule,), entry)

    def _is_duplicate(self, entry: TreeEntry) -> bool:
        return entry.key.lower() in self._places

    def _describe_duplicate(self, entry: TreeEntry) -> str:
        return f"{entry.key} is a duplicate of {self._places[entry.key.lower()]}"

    def _is_unknown(self, entry: TreeEntry) -> bool:
        """Return whether a move names a location that does not exist."""
        return entry.name is None and entry.key.lower() not in self._known

    def _is_clash(self, entry: TreeEntry) -> bool:
        return self._kinds[entry.key.lower()] is not entry.kind

    def _describe_clash(self, entry: TreeEntry) -> str:
        kind = self._kinds[entry.key.lower()].lower()
        return f"{entry.key} is already a {kind}; codes and slugs share one namespace"

    def _has_unknown_parent(self, entry: TreeEntry) -> bool:
        return entry.parent_key is not None and self._kinds.get(entry.parent_key) is not LocationKind.REGION

    def _describe_parent(self, entry: TreeEntry) -> str:
        parent = entry.parent_key or ""
        problem = "is a port" if parent in self._kinds else "is not a known region"
        return f"parent {_quote(parent)} {problem}"

    def _is_in_cycle(self, entry: TreeEntry) -> bool:
        return entry.key.lower() in self._cyclic

    @cached_property
    def _cyclic(self) -> frozenset[str]:
        """Keys of the locations on a cycle.

        Each location is visited once, because a chain may have thousands.
        """
        cyclic: set[str] = set()
        visited: set[str] = set()
        for start in self._parents:
            path: dict[str, None] = {}
            key: str | None = start
            while key is not None and key not in visited:
                visited.add(key)
                path[key] = None
                key = self._parents[key]
            if key in path:
                met = list(path)
                cyclic.update(met[met.index(key) :])
        return frozenset(cyclic)

    def _describe_cycle(self, entry: TreeEntry) -> str:
        return f"cycle: {' → '.join([*self._ancestors(entry), entry.key.lower()])}"

    def _ancestors(self, entry: TreeEntry) -> list[str]:
        """Return the keys from an entry in a cycle upwards, each once."""
        met = [entry.key.lower()]
        while (above := self._parents[met[-1]]) is not None and above != met[0]:
            met.append(above)
        return met
