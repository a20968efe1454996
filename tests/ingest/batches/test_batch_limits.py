"""Limits on price days and lane-months.

They are the same for files, queued batches and items of a mutation.
"""

import io
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, open_pool
from db.repositories import batches
from domain.batch_size import DEFAULT_LIMITS, BatchLimits, BatchSize
from domain.batches import BatchOutcome, BatchStatus, FileFormat, OnError
from domain.locations import Location, LocationKind
from ingest.batches.load import load_file
from ingest.batches.pipeline import check_slices
from ingest.errors import FileRejected
from ingest.readers import line_blocks, price_file
from ingest.readers.price_file import read_slices
from ingest.tree import change_tree
from ingest.worker import process_next_batch
from resolvers.uploads.items import PriceItem, encode_items, validate_size
from tests.support.batches.queue import LINE, accept, get_batch
from tests.support.worlds import World

PORTS = ["AAAAA", "BBBBB", "CCCCC"]
WORLD = World({"top": None, **dict.fromkeys(PORTS, "top")}, set(PORTS))
TREE = [Location(number, LocationKind.PORT, code, code, None) for number, code in enumerate(PORTS, start=1)]
HEADER = "origin,destination,date_from,date_to,price\n"
FIRST = date(2024, 1, 1)


def line(days: int, destination: str = "BBBBB", first: date = FIRST) -> str:
    """Return an item that is valid for some days."""
    return f"AAAAA,{destination},{first},{first + timedelta(days=days - 1)},10\n"


@pytest.fixture
async def world(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A connection to a tree of three ports, with slices of two lines."""
    monkeypatch.setattr(line_blocks, "MAX_LINES", 2)
    monkeypatch.setattr(price_file, "MAX_LINES", 2)
    await change_tree(connection, WORLD.entries())
    return connection


async def load(
    connection: Connection, text: str, limits: BatchLimits, on_error: OnError = OnError.REJECT_BATCH
) -> BatchOutcome:
    """Load the items under the limits."""
    file = io.BytesIO((HEADER + text).encode())
    _, outcome = await load_file(
        connection, file, FileFormat.CSV, source="test", on_error=on_error, again=True, limits=limits
    )
    return outcome


async def count_rows(connection: Connection) -> int:
    """Return the number of rows that batches have left."""
    tables = ("prices", "price_totals", "price_batches")
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    (row,) = await (await connection.execute(f"SELECT {counts}".encode())).fetchall()
    return int(row[0])


@pytest.mark.anyio
@pytest.mark.parametrize("on_error", OnError)
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (BatchLimits(max_price_days=99), "too many price days: 100 in items valid for more than 31 days, limit 99"),
        (BatchLimits(max_lane_months=3), "too many lane-months: 4 in items valid for more than 31 days, limit 3"),
    ],
)
async def test_batch_with_too_many_days_or_months_is_rejected_without_a_trace(
    world: Connection, limits: BatchLimits, message: str, on_error: OnError
) -> None:
    # The short items are in slices of their own, before and after the long ones. January and February of A-B count once.
    text = 2 * line(31) + line(32) + line(36) + line(32, "CCCCC") + line(1)
    with pytest.raises(FileRejected) as caught:
        await load(world, text, limits, on_error)
    assert caught.value.code == "BATCH_TOO_LARGE"
    assert caught.value.message == f"{message}; split the upload into smaller batches"
    assert await count_rows(world) == 0
    exact = BatchLimits(max_price_days=100, max_lane_months=4)
    assert (await load(world, text, exact, on_error)).price_day_count == 163


@pytest.mark.anyio
async def test_batch_limits_count_neither_short_nor_invalid_items(world: Connection) -> None:
    text = 40 * line(31) + line(32, "XXXXX") + line(4_000) + line(32).replace("10\n", "ten\n")
    outcome = await load(world, text, BatchLimits(1, 1), OnError.SKIP_INVALID)
    assert (outcome.accepted_count, outcome.rejected_count, outcome.price_day_count) == (40, 3, 40 * 31)


@pytest.mark.anyio
async def test_batch_too_large_after_an_invalid_item_is_rejected_as_too_large(world: Connection) -> None:
    with pytest.raises(FileRejected, match="too many price days"):
        await load(world, line(1, "XXXXX") + line(1) + line(40) + line(40), BatchLimits(max_price_days=79))


@pytest.mark.anyio
async def test_worker_rejects_a_queued_batch_that_is_too_large(world: Connection, database_url: str) -> None:
    large = LINE.replace(b'"price"', b'"date_to":"2024-03-01","price"')
    batch_id = await accept(world, large)
    async with open_pool(database_url, INGEST, max_size=3) as pool:
        assert await process_next_batch(pool, BatchLimits(max_price_days=60))
    batch = await get_batch(world, batch_id)
    assert (batch.status, batch.item_count, batch.attempts) == (BatchStatus.REJECTED, 0, 1)
    (problem,) = await batches.list_rejections(world, batch_id, limit=10)
    assert (problem.item, problem.code) == (None, "BATCH_TOO_LARGE")
    assert problem.message.startswith("too many price days: 61 in")


def test_default_batch_limits_admit_many_short_items_and_refuse_few_long_ones() -> None:
    days = 3_660
    size = BatchSize(DEFAULT_LIMITS)
    size.add(10_000 * days, [])
    assert "36,600,000" in (size.describe_excess() or "")
    size = BatchSize(DEFAULT_LIMITS)
    size.add(8_000 * 365, range(8_000 * 12))
    assert size.describe_excess() is None


@st.composite
def price_items(draw: st.DrawFn) -> PriceItem:
    """Draw an item on one of a few lanes, near the shortest validity that counts."""
    first = FIRST + timedelta(days=draw(st.integers(0, 60)))
    last = first + timedelta(days=draw(st.sampled_from([0, 30, 31, 59, 120, 3_659, 3_660])))
    ends = st.sampled_from([*PORTS, " aaaaa"])
    return PriceItem(f"{first} ", draw(ends), draw(ends), "10", str(last) if draw(st.booleans()) else None)


@given(items=st.lists(price_items(), min_size=1, max_size=12), days=st.integers(1, 8_000), months=st.integers(1, 300))
def test_batch_limits_of_mutations_and_files_agree(items: Sequence[PriceItem], days: int, months: int) -> None:
    limits = BatchLimits(days, months)
    problem = validate_size(items, limits)
    slices = read_slices(io.BytesIO(encode_items(items)), FileFormat.NDJSON)
    if problem is None:
        assert list(check_slices(slices, TREE, limits))
    else:
        with pytest.raises(FileRejected) as caught:
            list(check_slices(slices, TREE, limits))
        assert (problem.code, problem.message) == (caught.value.code, caught.value.message)


@pytest.mark.parametrize("field", ["date_from", "date_to"])
@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01", "9999-12-31", "1969-12-31"])
def test_batch_limits_of_mutations_skip_items_with_impossible_dates(field: str, text: str) -> None:
    item = replace_field(PriceItem("2024-01-01", "AAAAA", "BBBBB", 1, "2024-12-31"), field, text)
    assert validate_size([item], BatchLimits(1, 1)) is None


def replace_field(item: PriceItem, field: str, value: str) -> PriceItem:
    """Return a copy of the item with another value."""
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    return PriceItem(**{**fields, field: value})
