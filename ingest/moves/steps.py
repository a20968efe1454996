"""Change of the region tree in steps: uploads wait for its first and its last moment only.

1. The change is stored, while no batch is being applied. From then on, batches and reverts record what it does to their prices.
2. Step by step, a month in one snapshot, it records what it does to the stored totals. Nothing waits for a step.
3. One transaction appends all that was recorded to the totals, and then locks the tree: for what was recorded meanwhile, for
   the tree itself, and for the commit.

Until then readers see the totals before. A process that dies leaves records that count for nothing;
`clear_abandoned_change` deletes them. See docs/decisions/0052-tree-changes-in-steps.md.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import date

from db.administration import moves
from db.administration.citus import find_citus
from db.connection import Connection
from db.errors import DatabaseError, driver_errors
from db.repositories import locations, prices, sketches
from domain.intervals import days_of_month
from domain.locations import Location, TreeChange, TreeMove
from ingest.batches.move_records.recording import record_sketches, record_totals
from ingest.errors import ArchiveError
from ingest.moves.settlement import SnapshotPart, settle
from ingest.sketches.move import read_differences
from ingest.tree_totals import compute_differences, list_months, measure_move

MAX_ROUNDS = 3
"""How often months are read again because a process of the previous release has changed their totals."""
LOCK_PATIENCE_SECONDS = 10.0
"""Time for which the change tries to lock the tree between batches, before it makes later batches wait behind it."""
POLL_SECONDS = 0.05
READING_SHARE = 0.75
"""Fraction of the work that the months are. The rest is the last transaction."""


class _Outdated(Exception):
    """Other work has changed the tree, or totals in a way that no records show."""


class _Stale(Exception):
    """Months must be read again."""

    def __init__(self, months: list[date]) -> None:
        super().__init__()
        self.months = months


@asynccontextmanager
async def hold_tree_change_lock(connection: Connection) -> AsyncIterator[None]:
    """Wait for a change of the tree that is under way, and keep others out until the block ends."""
    await moves.lock_tree_change_session(connection)
    try:
        yield
    finally:
        # A lost connection has released the lock.
        with suppress(DatabaseError), driver_errors():
            await moves.unlock_tree_change_session(connection)


async def clear_abandoned_change(connection: Connection) -> None:
    """Delete the records of a change whose process has died.

    Those of a change that is under way stay.
    """
    if not await moves.has_tree_change(connection):
        return
    async with connection.transaction():
        if await moves.try_lock_tree_change(connection):
            await moves.clear_tree_change(connection)


class SteppedChange:
    """A change in steps. Call it within `hold_tree_change_lock`.

    Attributes:
        move: The locations before and after the change. New ones have negative IDs.
        add_locations: Inserts the new locations, in the last transaction; returns their IDs by the negative ones.
        change_locations: Changes names and parents, at the end of the last transaction.
    """

    def __init__(
        self,
        connection: Connection,
        move: TreeMove,
        *,
        add_locations: Callable[[], Awaitable[Mapping[int, int]]],
        change_locations: Callable[[], Awaitable[TreeChange]],
    ) -> None:
        self.move = move
        self.add_locations = add_locations
        self.change_locations = change_locations
        self._connection = connection
        self._id = 0
        self._is_cluster = False

    async def run(self, report: Callable[[float], None]) -> TreeChange | None:
        """Apply the change. Return None if it has not been applied.

        That is the case when other work, mostly a process of the previous release, has changed totals again and again without
        a record. `report` receives the fraction before the change begins, before each step and before the last transaction,
        and within that one.
        """
        report(0.0)
        try:
            await self._begin()
            # A batch may have brought a month since the change was planned. Those that come now are recorded.
            todo = list(list_months(await measure_move(self._connection, self.move)))
            for _ in range(MAX_ROUNDS):
                for number, month in enumerate(todo):
                    report(READING_SHARE * number / len(todo))
                    await self._read_month(month)
                report(READING_SHARE)
                committed = await self._commit(report)
                if isinstance(committed, TreeChange):
                    return committed
                todo = committed
                await moves.forget_moved_months(self._connection, todo)
        except _Outdated:
            pass
        finally:
            with suppress(DatabaseError), driver_errors():
                await moves.clear_tree_change(self._connection)
        return None

    async def _begin(self) -> None:
        """Store the change. Every batch of a later transaction records its part."""
        parents = {location.id: location.parent_id for location in self.move.before}
        moved = [each for each in self.move.after if each.id < 0 or each.parent_id != parents[each.id]]
        self._is_cluster = await find_citus(self._connection) is not None
        async with self._connection.transaction():
            await _lock_tree(self._connection)
            await self._check_tree()
            await moves.clear_tree_change(self._connection)
            self._id = await moves.insert_tree_change(
                self._connection, [each.id for each in moved], [each.parent_id for each in moved]
            )

    async def _check_tree(self, added: Mapping[int, int] | None = None) -> None:
        """Raise _Outdated if the tree has changed since the plan.

        A server of the previous release does that: it knows no lock of changes.
        """
        new = set((added or {}).values())
        present = await locations.list_locations(self._connection)
        if _list_parents(each for each in present if each.id not in new) != _list_parents(self.move.before):
            raise _Outdated

    async def _read_month(self, month: date) -> None:
        """Record what the change does to the stored totals of a month, in one snapshot."""
        try:
            await self._record_month(month)
        except ArchiveError:
            # Files that the snapshot still lists may have been deleted.
            if await moves.has_deleted_archive(self._connection):
                raise _Outdated from None
            raise

    async def _record_month(self, month: date) -> None:
        async with self._connection.transaction():
            if self._is_cluster:
                # A cluster has no snapshot over its nodes: uploads and reverts wait for the step.
                await _lock_tree(self._connection)
            else:
                await prices.set_snapshot_isolation(self._connection)
            await prices.lock_archive_shared(self._connection)
            differences = compute_differences(self._connection, self.move, first=month, last=month)
            async with aclosing(differences):
                async for difference in differences:
                    await record_totals(self._connection, difference)
            days = days_of_month(month)
            async with aclosing(read_differences(self._connection, self.move, days)) as parts:
                async for part in parts:
                    await record_sketches(self._connection, part)
            await moves.insert_moved_month(self._connection, month)

    async def _commit(self, report: Callable[[float], None]) -> TreeChange | list[date]:
        """Append the records to the totals and change the tree.

        Or return the months that must be read again first.
        """
        if stale := await moves.list_stale_months(self._connection):
            return stale
        try:
            async with self._connection.transaction():
                return await self._settle(report)
        except _Stale as found:
            return found.months

    async def _settle(self, report: Callable[[float], None]) -> TreeChange:
        new_ids = await self.add_locations()
        await sketches.keep_sketches(self._connection)
        snapshot = await moves.get_snapshot(self._connection)
        # Most of the work: nothing waits for it, and nothing sees it before the commit.
        await settle(
            self._connection,
            new_ids,
            SnapshotPart(snapshot, is_visible=True),
            lambda part: report(READING_SHARE + (1 - READING_SHARE) * part),
        )
        await _lock_tree(self._connection)
        await self._check_tree(new_ids)
        if stale := await moves.list_stale_months(self._connection):
            raise _Stale(stale)
        has_lost = await moves.has_deleted_archive(self._connection)
        if has_lost or not await moves.delete_tree_change(self._connection, self._id):
            raise _Outdated
        await settle(self._connection, new_ids, SnapshotPart(snapshot, is_visible=False))
        return await self.change_locations()


def _list_parents(tree: Iterable[Location]) -> dict[int, int | None]:
    return {location.id: location.parent_id for location in tree}


async def _lock_tree(connection: Connection) -> None:
    """Lock the tree exclusively, if possible at a moment without a running batch.

    A request that waits would make later batches wait too, for the rest of a batch that may take minutes. It has no time limit:
    at the end of a change all of its work would be lost.
    """
    end = time.monotonic() + LOCK_PATIENCE_SECONDS
    while not await locations.try_lock_tree_exclusive(connection):
        if time.monotonic() > end:
            await moves.lift_lock_timeout(connection)
            await locations.lock_tree_exclusive(connection)
            return
        await asyncio.sleep(POLL_SECONDS)
