"""Changes of the tree in steps: other work between the steps, and all averages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from unittest.mock import patch

from db.connection import Connection, is_in_transaction
from db.pool import INGEST, connect
from db.repositories import locations, totals
from domain.locations import Lane, LocationKind, TreeEntry
from domain.prices import DateRange
from ingest import tree
from ingest.batches import apply, revert
from tests.support.batches.sketches import expect_cells, read_cells
from tests.support.worlds import World, by_day, by_key

PORTS = ["AAAAA", "BBBBB", "CCCCC"]
PARENTS: dict[str, str | None] = {"top": None, "left": "top", "right": "top", "deep": "left"}
FIRST = date(2024, 1, 20)
DAYS = DateRange(FIRST, date(2024, 5, 31))
Step = Callable[[int], Awaitable[None]]
"""Work between two steps of a change; it receives the number of the steps before."""


async def find_no_move(*_arguments: object) -> None:
    """Find no change under way, as a process of the previous release."""


@contextmanager
def previous_release() -> Iterator[None]:
    """Apply and revert batches as a process of the previous release does.

    It records nothing for a change under way.
    """
    with patch.object(apply, "find_move", find_no_move), patch.object(revert, "find_move", find_no_move):
        yield


@contextmanager
def steps_of_any_size() -> Iterator[None]:
    """Make every change proceed in steps, however few totals it moves."""
    with patch.object(tree, "MAX_ROWS_AT_ONCE", -1):
        yield


class Interruptions:
    """Callback `report` of a change that runs other work between its steps.

    The work runs in a thread, and the change waits for its end.
    A change that ends in one transaction locks the tree: then no work can run.
    """

    def __init__(self, connection: Connection, work: Step) -> None:
        self.count = 0
        self._connection = connection
        self._work = work

    def __call__(self, _fraction: float) -> None:
        if is_in_transaction(self._connection):
            return
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, self._run()).result()
        self.count += 1

    async def _run(self) -> None:
        await self._work(self.count)


async def compare_totals(database_url: str, world: World, days: DateRange) -> None:
    """Assert that the totals and sketches of all pairs of locations are those of the world."""
    async with connect(database_url, INGEST) as connection:
        known = by_key(await locations.list_locations(connection))
        assert known.keys() == world.parents.keys()
        pairs = [(origin, destination) for origin in world.parents for destination in world.parents]
        requests = [(Lane(known[origin].id, known[destination].id), days) for origin, destination in pairs]
        answers = await totals.select_day_totals(connection, requests)
        assert await read_cells(connection) == expect_cells(world)
    for (origin, destination), answer in zip(pairs, answers, strict=True):
        expected = {
            day: (len(prices), int(100 * sum(prices)))
            for day in days.days()
            if (prices := world.prices_on(origin, destination, day))
        }
        assert by_day(answer, days) == expected, (origin, destination)


async def count_records(connection: Connection) -> int:
    """Return the number of rows that changes have left behind."""
    cursor = await connection.execute(
        b"SELECT (SELECT count(*) FROM tree_changes) + (SELECT count(*) FROM moved_months)"
        b" + (SELECT count(*) FROM moved_records) + (SELECT count(*) FROM moved_batches)"
    )
    return int((await cursor.fetchall())[0][0])


def entries_of(move: dict[str, str | None]) -> list[TreeEntry]:
    """Return the entries of a change of parents."""
    return [
        TreeEntry(LocationKind.PORT if key in PORTS else LocationKind.REGION, key, f"Name of {key}", parent, "test:1")
        for key, parent in move.items()
    ]
