"""Sketches in the database: old writers, rebuilds, reverts, archived months, samples."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from db.connection import Connection
from db.repositories import sketches
from db.repositories.sketches import ALL_MONTHS
from domain.locations import LocationKind, TreeEntry
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.sketches import merge, rebuild
from ingest.sketches.rebuild import rebuild_stale
from ingest.tree import change_tree
from tests.support.batches.sketches import expect_cells, read_cells
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

PORTS = {"AAAAA", "BBBBB", "CCCCC"}
ITEMS = [
    Item("AAAAA", "BBBBB", date(2024, 1, 20), date(2024, 3, 2), Decimal("10.01")),
    Item("CCCCC", "BBBBB", date(2024, 1, 31), date(2024, 1, 31), Decimal(-500)),
    Item("AAAAA", "AAAAA", date(2024, 2, 1), date(2024, 2, 29), Decimal(7_000)),
]


@pytest.fixture
def world() -> World:
    parents = {"top": None, "low": "top", "other": "top", "AAAAA": "low", "BBBBB": "top", "CCCCC": "other"}
    return World(parents, set(PORTS))


async def forget(connection: Connection) -> None:
    """Let the triggers take the connection for one of code that knows no sketches."""
    await connection.execute("SELECT set_config('ratesgraph.keeps_sketches', '', true)")


async def rebuild_all(connection: Connection) -> list[date]:
    return [month async for month in rebuild_stale(connection)]


@pytest.mark.parametrize("max_observations", [4_000_000, 1])
async def test_batch_of_code_without_sketches_makes_all_months_stale_until_they_are_rebuilt(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch, max_observations: int
) -> None:
    monkeypatch.setattr(rebuild, "MAX_OBSERVATIONS", max_observations)
    await change_tree(connection, world.entries())
    await apply_frame(connection, frame_of(ITEMS[:1]))
    assert await sketches.list_stale_months(connection) == []
    async with connection.transaction():
        batch = await apply_frame(connection, frame_of(ITEMS[1:]))
        await connection.execute("DELETE FROM price_sketches")
        await forget(connection)
        await connection.execute("UPDATE price_batches SET status = status")
    assert batch
    world.items += ITEMS
    assert await sketches.list_stale_months(connection) == [ALL_MONTHS]
    assert await rebuild_all(connection) == [date(2024, month, 1) for month in (1, 2, 3)]
    assert await sketches.list_stale_months(connection) == []
    assert await read_cells(connection) == expect_cells(world)
    assert await rebuild_all(connection) == []


@pytest.mark.parametrize("action", ["change tree", "delete archive"])
async def test_other_changes_of_code_without_sketches_make_all_months_stale(
    connection: Connection, world: World, action: str
) -> None:
    await change_tree(connection, world.entries())
    assert await sketches.list_stale_months(connection) == []
    await connection.execute("INSERT INTO audit_entries (caller, action, detail) VALUES ('', 'upload', '')")
    assert await sketches.list_stale_months(connection) == []
    await connection.execute("INSERT INTO audit_entries (caller, action, detail) VALUES ('', %s, '')", (action,))
    assert await sketches.list_stale_months(connection) == [ALL_MONTHS]
    assert await rebuild_all(connection) == []
    assert await sketches.list_stale_months(connection) == []


@pytest.mark.parametrize("max_bytes", [1, 40, merge.MAX_DECODED_BYTES])
async def test_revert_and_move_change_sketches_with_the_totals(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch, max_bytes: int
) -> None:
    monkeypatch.setattr(merge, "MAX_DECODED_BYTES", max_bytes)
    await change_tree(connection, world.entries())
    for item in ITEMS:
        await apply_frame(connection, frame_of([item]))
    for place, kind, parent in (("AAAAA", LocationKind.PORT, "other"), ("low", LocationKind.REGION, "other")):
        await change_tree(connection, [TreeEntry(kind, place, place, parent, "test:1")])
        world.parents[place] = parent
    world.items += ITEMS
    assert await read_cells(connection) == expect_cells(world)
    await revert_batch(connection, 1)
    world.items.remove(ITEMS[0])
    assert await read_cells(connection) == expect_cells(world)
    await compact(connection, max_rows=1)
    assert await read_cells(connection) == expect_cells(world)
    assert await sketches.list_stale_months(connection) == []


async def test_compaction_of_both_forms_keeps_the_last_day_of_a_month_out_of_the_next_one(
    connection: Connection, world: World
) -> None:
    await change_tree(connection, world.entries())
    world.items += [
        Item("AAAAA", "BBBBB", date(2024, 4, 30), date(2024, 4, 30), Decimal(100)),
        Item("AAAAA", "BBBBB", date(2024, 4, 1), date(2024, 5, 20), Decimal(100)),
    ]
    for item in world.items:
        await apply_frame(connection, frame_of([item]))
    await compact(connection, max_rows=1)
    # Reading the cells fails at an entry behind the end of its month, which a reader takes for one of the next.
    assert await read_cells(connection) == expect_cells(world)


@pytest.mark.parametrize(
    ("changed", "rows"),
    [
        ("", "ctid IN (SELECT ctid FROM price_sketches WHERE month = '2024-02-01' LIMIT 1)"),
        (", month = month + 8", "true"),
    ],
    ids=["the last byte of one", "the last bytes and the months of all"],
)
@pytest.mark.parametrize("max_bytes", [1, 40, merge.MAX_DECODED_BYTES])
async def test_compaction_marks_the_month_of_a_damaged_sketch_as_stale(
    connection: Connection,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    max_bytes: int,
    changed: str,
    rows: str,
) -> None:
    monkeypatch.setattr(merge, "MAX_DECODED_BYTES", max_bytes)
    await change_tree(connection, world.entries())
    for item in ITEMS * 2:
        await apply_frame(connection, frame_of([item]))
    world.items += ITEMS * 2
    await connection.execute(
        f"UPDATE price_sketches SET sketch = substr(sketch, 1, length(sketch) - 1) {changed}"
        f" WHERE date_trunc('month', month) = '2024-02-01' AND {rows}".encode()
    )
    await compact(connection, max_rows=1)
    assert "in 2024-02 is damaged" in caplog.text
    assert await sketches.list_stale_months(connection) == [date(2024, 2, 1)]
    assert await rebuild_all(connection) == [date(2024, 2, 1)]
    assert await read_cells(connection) == expect_cells(world)
    caplog.clear()
    await compact(connection, max_rows=1)
    assert not caplog.text
    assert await read_cells(connection) == expect_cells(world)


async def test_difference_of_a_move_is_computed_in_parts(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sketches.move.MAX_OBSERVATIONS", 7)
    await change_tree(connection, world.entries())
    world.items += [
        Item(item.origin, item.destination, item.first + timedelta(shift), item.last + timedelta(shift), item.price)
        for item in ITEMS
        for shift in range(9)
    ]
    await apply_frame(connection, frame_of(world.items))
    await change_tree(connection, [TreeEntry(LocationKind.PORT, "AAAAA", "AAAAA", "other", "test:1")])
    world.parents["AAAAA"] = "other"
    assert await read_cells(connection) == expect_cells(world)
