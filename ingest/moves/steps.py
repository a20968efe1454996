"""Change of the region tree in steps: uploads wait only at its beginning and its end.

1. The change is stored while no batch is being applied. From then on, each batch and each revert also records the difference
   that the change makes to the totals and sketches of its own prices.
2. Each step reads one month in one snapshot, and records the difference for the stored prices. No upload waits for a step.
3. One transaction appends all recorded differences. Then it locks the tree, appends the differences that were recorded
   meanwhile, changes the tree and commits.

Until the commit, readers see the tree and the totals before the change. The records of a process that has died have no effect;
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
from ingest.moves.recorded_differences import SnapshotPart, append_differences
from ingest.sketches.move import read_differences
from ingest.tree_totals import compute_differences, list_months, measure_move

MAX_ROUNDS = 3
"""Maximum number of times that a month is read. It is read again if a process of the previous release has changed it."""
LOCK_PATIENCE_SECONDS = 10.0
"""Time during which the lock of the tree is only tried between batches. Afterwards later batches queue behind the request."""
POLL_SECONDS = 0.05
READING_SHARE = 0.75
"""Share of the months in the progress. The rest is the last transaction."""


class _Outdated(Exception):
    """The plan is outdated: other work changed the tree, or totals without recording it."""


class _Stale(Exception):
    """Months must be read again."""

    def __init__(self, months: list[date]) -> None:
        super().__init__()
        self.months = months


@asynccontextmanager
async def hold_tree_change_lock(connection: Connection) -> AsyncIterator[None]:
    """Lock out other changes of the tree until the block ends, after the one under way."""
    await moves.lock_tree_change_session(connection)
    try:
        yield
    finally:
        # A lost connection has released the lock.
        with suppress(DatabaseError), driver_errors():
            await moves.unlock_tree_change_session(connection)


async def clear_abandoned_change(connection: Connection) -> None:
    """Delete the records of a change whose process has died, but not of one that is under way."""
    if not await moves.has_tree_change(connection):
        return
    async with connection.transaction():
        if await moves.try_lock_tree_change(connection):
            await moves.clear_tree_change(connection)


class SteppedChange:
    """Change of the region tree in steps. Use it within `hold_tree_change_lock`.

    Attributes:
        move: The locations before and after the change. New locations have negative IDs.
        add_locations: Inserts the new locations in the last transaction. Returns their stored IDs, keyed by the negative IDs.
        change_locations: Changes names and parents at the end of the last transaction.
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

        That happens if other work, usually a process of the previous release, repeatedly changes totals without recording it.
        `report` receives the fraction before the change begins, before each step, and before and within the last transaction.
        """
        report(0.0)
        try:
            await self._begin()
            # Listed after _begin: a batch may have added a month since the plan, and batches from now on record their part.
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
                await moves.delete_moved_months(self._connection, todo)
        except _Outdated:
            pass
        finally:
            with suppress(DatabaseError), driver_errors():
                await moves.clear_tree_change(self._connection)
        return None

    async def _begin(self) -> None:
        """Store the change. Every batch that begins later records the difference for its prices."""
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

        Only a server of the previous release can change it, because it does not take the lock of tree changes.
        """
        new = set((added or {}).values())
        present = await locations.list_locations(self._connection)
        if _list_parents(each for each in present if each.id not in new) != _list_parents(self.move.before):
            raise _Outdated

    async def _read_month(self, month: date) -> None:
        """Record the difference for the stored prices of a month, in one snapshot."""
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

        If months must be read again first, change nothing and return them instead.
        """
        if stale := await moves.list_stale_months(self._connection):
            return stale
        try:
            async with self._connection.transaction():
                return await self._append_and_change(report)
        except _Stale as found:
            return found.months

    async def _append_and_change(self, report: Callable[[float], None]) -> TreeChange:
        new_ids = await self.add_locations()
        await sketches.declare_sketch_maintenance(self._connection)
        snapshot = await moves.get_snapshot(self._connection)
        # This is most of the work. No other work waits for it, and it is not visible before the commit.
        await append_differences(
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
        await append_differences(self._connection, new_ids, SnapshotPart(snapshot, is_visible=False))
        return await self.change_locations()


def _list_parents(tree: Iterable[Location]) -> dict[int, int | None]:
    return {location.id: location.parent_id for location in tree}


async def _lock_tree(connection: Connection) -> None:
    """Lock the tree exclusively, if possible at a moment without a running batch.

    A waiting request makes later batches queue behind it until the running one ends, which may take minutes. So the lock is
    tried first. The request afterwards has no timeout, because a timeout at the end of a change would lose all of its work.
    """
    end = time.monotonic() + LOCK_PATIENCE_SECONDS
    while not await locations.try_lock_tree_exclusive(connection):
        if time.monotonic() > end:
            await moves.disable_lock_timeout(connection)
            await locations.lock_tree_exclusive(connection)
            return
        await asyncio.sleep(POLL_SECONDS)
