"""Totals by day and as changes: which form is written when, and how they are merged."""

from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest

from db.connection import Connection
from db.migrate import contract
from db.repositories import locations, totals
from domain.locations import Lane
from domain.prices import MAX_CHANGES, MAX_COUNT, DateRange
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.batches.forms import allow_changes, count_forms, refuse_changes
from tests.support.worlds import Item, World, apply_frame, by_day, by_key, frame_of

pytestmark = pytest.mark.anyio

FIRST = date(2024, 2, 1)
WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
PAIRS = 4
"""Pairs of locations that a price from AAAAA to BBBBB touches."""


def priced(first: int, last: int, price: int | str = 7) -> Item:
    """Return a price for some days of February, counted from 1."""
    return Item("AAAAA", "BBBBB", FIRST.replace(day=first), FIRST.replace(day=last), Decimal(price))


async def upload(connection: Connection, *items: Item) -> int:
    return (await apply_frame(connection, frame_of(list(items))))[0]


async def read(connection: Connection) -> dict[date, tuple[int, int]]:
    """Return counts and sums by day from root to root.

    The totals match the observations, and the period of all prices matches the totals.
    """
    assert [difference async for _, found in verify(connection) for difference in found] == []
    top = by_key(await locations.list_locations(connection))["top"].id
    span = DateRange(FIRST - timedelta(days=1), date(2024, 3, 31))
    [sums] = await totals.select_day_totals(connection, [(Lane(top, top), span)])
    found = by_day(sums, span)
    period = await totals.select_price_period(connection)
    assert (period.first_day, period.last_day) == (min(found, default=None), max(found, default=None))
    assert period.price_count == sum(count for count, _ in found.values())
    return found


async def test_totals_stay_by_day_until_the_contraction(connection: Connection, database_url: str) -> None:
    await change_tree(connection, WORLD.entries())
    await refuse_changes(connection)
    await upload(connection, priced(1, 29), priced(5, 5))
    assert await count_forms(connection) == (PAIRS, 0)
    with pytest.raises(psycopg.errors.NotNullViolation):
        await connection.execute(
            b"INSERT INTO price_totals (origin, destination, month, first_day, packed_changes)"
            b" VALUES (1, 1, '2024-02-01', '2024-02-01', '{64}')"
        )
    before = await read(connection)
    contract(database_url)
    assert await read(connection) == before
    await upload(connection, priced(1, 29), priced(5, 5))
    assert await count_forms(connection) == (PAIRS, PAIRS)
    assert await read(connection) == {day: (2 * count, 2 * cents) for day, (count, cents) in before.items()}


async def test_changes_last_until_the_end_of_their_month(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    await upload(connection, Item("AAAAA", "BBBBB", FIRST.replace(day=28), date(2024, 3, 2), Decimal(5)))
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 2)]
    assert await count_forms(connection) == (0, 2 * PAIRS)
    assert await read(connection) == dict.fromkeys(days, (1, 500))


async def test_period_of_all_prices_counts_both_forms(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    batch = await upload(connection, priced(5, 7), priced(9, 9))
    assert await count_forms(connection) == (0, PAIRS)
    assert (await totals.select_price_period(connection))[:3] == (FIRST.replace(day=5), FIRST.replace(day=9), 4)
    await upload(connection, *[priced(day, day) for day in range(1, MAX_CHANGES + 2)])
    assert (await totals.select_price_period(connection))[:3] == (FIRST, FIRST.replace(day=17), 21)
    await revert_batch(connection, batch)
    assert (await totals.select_price_period(connection))[:3] == (FIRST, FIRST.replace(day=17), 17)


@pytest.mark.parametrize(
    ("items", "form"),
    [
        ([priced(1 + day, 1 + day) for day in range(MAX_CHANGES)], (0, PAIRS)),
        ([priced(1 + day, 1 + day) for day in range(MAX_CHANGES + 1)], (PAIRS, 0)),
        ([priced(1, 2 + day) for day in range(MAX_CHANGES)], (PAIRS, 0)),
        ([priced(3, 9, "-0.01"), priced(4, 4, -8)], (0, PAIRS)),
        ([priced(2, 2, 9_999_999)] * 549, (0, PAIRS)),
        ([priced(2, 2, 9_999_999)] * 550, (PAIRS, 0)),
    ],
    ids=["few days", "many days", "many lengths", "negative prices", "large sums", "sums beyond 40 bits"],
)
async def test_pair_of_few_changes_is_stored_as_these(
    connection: Connection, items: list[Item], form: tuple[int, int]
) -> None:
    await change_tree(connection, WORLD.entries())
    batch = await upload(connection, *items)
    assert await count_forms(connection) == form
    assert len(await read(connection)) > 0
    await revert_batch(connection, batch)
    assert set((await read(connection)).values()) <= {(0, 0)}
    await compact(connection, max_rows=1)
    assert await count_forms(connection) == (0, 0)


async def test_counts_beyond_18_bits_are_stored_by_day(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    await upload(connection, *[priced(2, 2)] * (MAX_COUNT // 2))
    await upload(connection, *[priced(2, 2)] * (MAX_COUNT - MAX_COUNT // 2))
    assert await count_forms(connection) == (0, 2 * PAIRS)
    await compact(connection, max_rows=1)
    assert await count_forms(connection) == (PAIRS, 0)
    assert await read(connection) == {FIRST.replace(day=2): (MAX_COUNT, 700 * MAX_COUNT)}


@pytest.mark.parametrize(
    ("parts", "form"),
    [
        ([[priced(1, 9)], [priced(5, 29), priced(3, 3)]], (0, PAIRS)),
        ([[priced(day, day) for day in range(first, first + 10)] for first in (1, 11)], (PAIRS, 0)),
        ([[priced(2, 2, 9_999_999)] * 300] * 2, (PAIRS, 0)),
    ],
    ids=["few changes", "many changes", "sums beyond 40 bits"],
)
async def test_compaction_keeps_changes_while_they_are_few(
    connection: Connection, parts: list[list[Item]], form: tuple[int, int]
) -> None:
    await change_tree(connection, WORLD.entries())
    for part in parts:
        await upload(connection, *part)
    before = await read(connection)
    assert await count_forms(connection) == (0, PAIRS * len(parts))
    await compact(connection, max_rows=1)
    assert await count_forms(connection) == form
    assert await read(connection) == before


async def test_compaction_merges_both_forms_by_day(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    await refuse_changes(connection)
    await upload(connection, priced(10, 12))
    await allow_changes(connection)
    await upload(connection, priced(1, 29, 3), priced(11, 11, -7))
    before = await read(connection)
    await compact(connection, max_rows=1)
    assert await count_forms(connection) == (PAIRS, 0)
    assert await read(connection) == before
