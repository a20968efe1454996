"""Batch lifecycle as a state machine, compared with a dictionary.

Its rules upload, replay, apply, revert, move, compact and query.
"""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from db.connection import Connection
from db.pool import INGEST, Pool, open_pool
from db.repositories import locations, totals
from domain.batches import BatchStatus, OnError
from domain.locations import Lane, LocationKind, TreeEntry
from domain.prices import DateRange
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.tree import change_tree
from ingest.verify import verify
from ingest.worker import process_next_batch
from resolvers.context import RequestContext
from resolvers.uploads import batches
from tests.support.batches.sketches import expect_cells, read_cells
from tests.support.batches.strategies import as_upload
from tests.support.contexts import OPERATOR, reading_context
from tests.support.worlds import Item, World, by_day, by_key

FIRST = date(2024, 1, 29)
DAYS = DateRange(FIRST, FIRST + timedelta(days=6))
PORTS, REGIONS = ["AAAAA", "BBBBB", "CCCCC"], ["top", "left", "right"]

items = st.builds(
    lambda origin, destination, start, length, price: Item(
        origin, destination, FIRST + timedelta(days=start), FIRST + timedelta(days=start + length), Decimal(price)
    ),
    st.sampled_from(PORTS),
    st.sampled_from(PORTS),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(-50, 50),
)


class BatchLifecycle(RuleBasedStateMachine):
    """State machine whose `uploads` maps a key to (items, has an invalid item, status)."""

    database_url = ""

    @initialize()
    def start(self) -> None:
        self.world = World({"top": None, "left": "top", "right": "top", **dict.fromkeys(PORTS, "left")}, set(PORTS))
        self.uploads: dict[str, tuple[list[Item], bool]] = {}
        self.ids: dict[str, int] = {}
        self.status: dict[str, BatchStatus] = {}
        self.run(self._clear)

    async def _clear(self, pool: Pool) -> None:
        async with pool.connection() as connection:
            await connection.execute(
                "TRUNCATE locations, prices, price_totals, price_sketches, stale_sketches, price_batches CASCADE"
            )
            await change_tree(connection, self.world.entries())

    def run(self, work: object) -> None:
        """Run the work with a separate pool."""

        async def main() -> None:
            async with open_pool(self.database_url, INGEST, max_size=2) as pool:
                await work(pool)  # type: ignore[operator]

        asyncio.run(main())

    def context(self, pool: Pool) -> RequestContext:
        async def revert(batch_id: int, by: str) -> BatchStatus | None:
            async with pool.connection() as connection:
                return await revert_batch(connection, batch_id, by=by)

        context = reading_context(pool)
        context.caller, context.app.revert_batch = OPERATOR, revert
        return context

    def send(self, key: str, *, expect_replay: bool) -> None:
        """Upload with the key and compare the response."""
        offered, invalid = self.uploads[key]
        lines = [as_upload(item) for item in offered] + ([replace(as_upload(offered[0]), price="x")] if invalid else [])

        async def work(pool: Pool) -> None:
            answer = await batches.upload_prices(
                self.context(pool), lines, on_error=OnError.REJECT_BATCH, idempotency_key=key, wait_ms=0
            )
            assert answer.replayed is expect_replay
            assert answer.batch is not None
            assert self.ids.setdefault(key, answer.batch.id) == answer.batch.id
            assert answer.batch.status is self.status.setdefault(key, BatchStatus.QUEUED)

        self.run(work)

    @rule(offered=st.lists(items, min_size=1, max_size=4), invalid=st.booleans())
    def upload(self, offered: list[Item], invalid: bool) -> None:
        key = f"key {len(self.uploads)}"
        self.uploads[key] = (offered, invalid)
        self.send(key, expect_replay=False)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        self.send(data.draw(st.sampled_from(sorted(self.uploads))), expect_replay=True)

    @rule()
    def apply_next(self) -> None:
        async def work(pool: Pool) -> None:
            waiting = [key for key, status in self.status.items() if status is BatchStatus.QUEUED]
            assert await process_next_batch(pool) is bool(waiting)
            if waiting:
                key = min(waiting, key=lambda name: self.ids[name])
                offered, invalid = self.uploads[key]
                self.status[key] = BatchStatus.REJECTED if invalid else BatchStatus.APPLIED
                self.world.items += [] if invalid else offered

        self.run(work)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.uploads)))

        async def work(pool: Pool) -> None:
            reversal = await batches.revert_batch(self.context(pool), self.ids[key])
            if self.status[key] is BatchStatus.APPLIED:
                assert reversal.user_errors == []
                self.status[key] = BatchStatus.REVERTED
                for item in self.uploads[key][0]:
                    self.world.items.remove(item)
            else:
                assert [error.code for error in reversal.user_errors] == ["BATCH_NOT_APPLIED"]
            assert reversal.batch is not None
            assert reversal.batch.status is self.status[key]

        self.run(work)

    @rule(place=st.sampled_from([*PORTS, "left", "right"]), parent=st.sampled_from(REGIONS))
    def move(self, place: str, parent: str) -> None:
        if self.world.is_within(place, parent):
            return
        self.world.parents[place] = parent
        kind = LocationKind.PORT if place in PORTS else LocationKind.REGION

        async def work(pool: Pool) -> None:
            async with pool.connection() as connection:
                await change_tree(connection, [TreeEntry(kind, place, place, parent, "test:1")])

        self.run(work)

    @rule(max_rows=st.integers(1, 3))
    def compact(self, max_rows: int) -> None:
        async def work(pool: Pool) -> None:
            async with pool.connection() as connection:
                await compact(connection, max_rows=max_rows)

        self.run(work)

    @invariant()
    def results_match_the_dictionary(self) -> None:
        if not hasattr(self, "world"):
            return

        async def work(pool: Pool) -> None:
            async with pool.connection() as connection:
                await self._compare(connection)

        self.run(work)

    async def _compare(self, connection: Connection) -> None:
        known = by_key(await locations.list_locations(connection))
        pairs = [(origin, destination) for origin in ("AAAAA", *REGIONS) for destination in ("BBBBB", "top", "right")]
        lanes = [(Lane(known[origin].id, known[destination].id), DAYS) for origin, destination in pairs]
        answers = await totals.select_day_totals(connection, lanes)
        for (origin, destination), answer in zip(pairs, answers, strict=True):
            found = by_day(answer, DAYS)
            expected = {
                day: (len(prices), int(sum(prices) * 100))
                for day in DAYS.days()
                if (prices := self.world.prices_on(origin, destination, day))
            }
            assert found == expected, (origin, destination)
        assert [found async for _, found in verify(connection) if found] == []
        assert await read_cells(connection) == expect_cells(self.world)


def test_batch_lifecycle_matches_the_reference_model(module_database_url: str) -> None:
    class Here(BatchLifecycle):
        database_url = module_database_url

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
