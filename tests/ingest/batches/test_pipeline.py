"""Large files: processed in slices, with the same outcome as in one piece."""

import gzip
import io
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.connection import Connection
from db.repositories import batches, lanes, locations
from db.repositories.previews import Preview
from domain.batch_size import DEFAULT_LIMITS
from domain.batches import BatchLane, BatchOutcome, BatchStatus, FileFormat, OnError, Rejection
from domain.locations import Lane
from ingest.batches import aggregation, apply, pipeline
from ingest.batches.load import load_file
from ingest.batches.pipeline import process_slices
from ingest.batches.preview import preview
from ingest.batches.revert import revert_batch
from ingest.errors import FileRejected
from ingest.exchange_rates.ecb import load_ecb_rates
from ingest.readers import line_blocks, price_file
from ingest.readers.price_file import Slice, read_slices
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.worlds import World, by_key, read_items

WORLD = World({"top": None, "AAAAA": "top", "mid": "top", "BBBBB": "mid"}, {"AAAAA", "BBBBB"})
HEADER = "origin,destination,date_from,date_to,price,currency\n"
GOOD = "AAAAA,BBBBB,2024-01-01,2024-01-31,10,USD\n"


@pytest.fixture
async def small(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """A connection to a tree of two ports, with small slices and a small memory limit."""
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(line_blocks, "MAX_LINES", 2)
    monkeypatch.setattr(price_file, "MAX_LINES", 2)
    monkeypatch.setattr(pipeline, "MAX_ROWS", 40)
    monkeypatch.setattr(apply, "MAX_PENDING_ROWS", 50)
    monkeypatch.setattr(aggregation, "MAX_LANES", 1)
    await change_tree(connection, WORLD.entries())
    await load_ecb_rates(connection)
    yield connection
    assert [found async for _, found in verify(connection) if found] == []


async def load(
    connection: Connection, text: str | bytes, on_error: OnError, file_format: FileFormat = FileFormat.CSV
) -> tuple[int, BatchOutcome]:
    """Load the text as a batch."""
    data = text.encode() if isinstance(text, str) else text
    return await load_file(connection, io.BytesIO(data), file_format, source="test", on_error=on_error)


def panicking_slices() -> Iterator[Slice]:
    """Yield slices until polars panics: it prints no day of this number."""
    yield from read_slices(io.BytesIO((HEADER + GOOD).encode()), FileFormat.CSV)
    pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date).cast(pl.String)
    raise AssertionError("polars did not panic")


async def count_rows(connection: Connection) -> int:
    """Return the number of rows of prices and of totals."""
    rows = await connection.execute("SELECT (SELECT count(*) FROM prices) + (SELECT count(*) FROM price_totals)")
    return (await rows.fetchall())[0][0]  # type: ignore[no-any-return]


VALUES = st.sampled_from(["AAAAA", "", '"AAAAA"', '"a ""quoted"" one"', '"two\nlines"', "Ä", "10"])


@given(
    st.lists(st.lists(VALUES, min_size=6, max_size=6), min_size=1, max_size=12), st.integers(1, 80), st.integers(1, 4)
)
def test_pipeline_reads_equal_csv_rows_for_any_block_and_slice_size(
    rows: list[list[str]], block_bytes: int, max_lines: int
) -> None:
    text = (HEADER + "".join(",".join(row) + "\n" for row in rows)).encode()
    with pytest.MonkeyPatch.context() as patch:
        try:
            whole = read_items(text, FileFormat.CSV).rows()
        except FileRejected:
            whole = []
        patch.setattr(line_blocks, "BLOCK_BYTES", block_bytes)
        patch.setattr(line_blocks, "MAX_LINES", max_lines)
        try:
            assert read_items(text, FileFormat.CSV).rows() == whole
        except FileRejected:
            assert whole == []


@pytest.mark.anyio
async def test_pipeline_applies_many_slices_as_one_batch(small: Connection) -> None:
    euros = "AAAAA,BBBBB,2024-01-02,2024-12-31,20,EUR\nBBBBB,AAAAA,2020-02-01,2030-02-01,-5.5,EUR\n"
    batch_id, outcome = await load(small, HEADER + GOOD * 7 + euros + GOOD * 4, OnError.REJECT_BATCH)
    assert (outcome.status, outcome.item_count, outcome.accepted_count) == (BatchStatus.APPLIED, 13, 13)
    assert outcome.price_day_count == 11 * 31 + 365 + 3_654
    assert (outcome.lane_count, outcome.first_day, outcome.last_day) == (2, date(2020, 2, 1), date(2030, 2, 1))
    ids = {key: location.id for key, location in by_key(await locations.list_locations(small)).items()}
    there, back = Lane(ids["AAAAA"], ids["BBBBB"]), Lane(ids["BBBBB"], ids["AAAAA"])
    assert await lanes.list_lanes(small, batch_id, limit=9) == [BatchLane(1, there), BatchLane(2, back)]
    assert await lanes.list_lanes(small, batch_id, after=1, limit=9) == [BatchLane(2, back)]
    wide, narrow = Lane(ids["top"], ids["mid"]), Lane(ids["mid"], ids["mid"])
    found = await lanes.list_touched(small, [batch_id, batch_id + 1], [narrow, there, wide])
    assert sorted(found) == sorted([(batch_id, there), (batch_id, wide)])
    rows = await small.execute("SELECT array_agg(DISTINCT item ORDER BY item) FROM prices")
    assert (await rows.fetchall())[0][0] == list(range(1, 14))
    assert await revert_batch(small, batch_id) is BatchStatus.APPLIED


@pytest.mark.anyio
async def test_pipeline_rolls_back_all_slices_for_an_invalid_item_and_lists_all_problems(
    small: Connection,
) -> None:
    bad = "AAAAA,BBBBB,2024-01-01,,x,USD\n"
    text = HEADER + GOOD * 5 + GOOD.replace("BBBBB", "AAAAA") + GOOD * 4 + bad + GOOD + bad.replace("AAAAA", "XXXXX")
    batch_id, outcome = await load(small, text, OnError.REJECT_BATCH)
    assert outcome == BatchOutcome(BatchStatus.REJECTED, 13, 0, 2)
    assert await count_rows(small) == 0
    found = await batches.list_rejections(small, batch_id, limit=10)
    assert [(entry.number, entry.item, entry.code) for entry in found] == [
        (1, 6, "SAME_PORT"),
        (2, 11, "INVALID_PRICE"),
        (3, 13, "UNKNOWN_PORT"),
        (4, 13, "INVALID_PRICE"),
    ]


@pytest.mark.anyio
async def test_pipeline_skips_invalid_items_of_every_slice_with_skip_invalid(small: Connection) -> None:
    bad = GOOD.replace("USD", "XXX")
    batch_id, outcome = await load(small, HEADER + (GOOD + bad + GOOD) * 4, OnError.SKIP_INVALID)
    assert (outcome.status, outcome.accepted_count, outcome.rejected_count) == (BatchStatus.APPLIED, 8, 4)
    assert outcome.price_day_count == 8 * 31
    found = await batches.list_rejections(small, batch_id, limit=10)
    assert [(entry.number, entry.item) for entry in found] == [(1, 2), (2, 5), (3, 8), (4, 11)]


@pytest.mark.anyio
async def test_pipeline_stores_the_first_rejections_and_counts_all_items(
    small: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "MAX_STORED_REJECTIONS", 5)
    monkeypatch.setattr(apply, "COPIED_REJECTIONS", 2)
    batch_id, outcome = await load(small, HEADER + GOOD.replace("USD", "XXX") * 9, OnError.SKIP_INVALID)
    assert (outcome.status, outcome.rejected_count) == (BatchStatus.REJECTED, 9)
    found = await batches.list_rejections(small, batch_id, limit=10)
    assert [(entry.number, entry.item) for entry in found] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]


@pytest.mark.anyio
async def test_pipeline_stores_nothing_of_a_truncated_file(small: Connection) -> None:
    # Compressed to stored blocks, so that the beginning is readable although the end is missing.
    whole = gzip.compress((HEADER + GOOD * 200).encode(), compresslevel=0)
    with pytest.raises(FileRejected) as caught:
        await load(small, whole[:-9], OnError.SKIP_INVALID, FileFormat.CSV_GZIP)
    assert caught.value.code == "BROKEN_FILE"
    assert await count_rows(small) == 0


def test_pipeline_reads_every_member_of_a_gzip_file() -> None:
    data = gzip.compress((HEADER + GOOD).encode()) + gzip.compress((GOOD * 2).encode())
    assert len(read_items(data, FileFormat.CSV_GZIP)) == 3


@pytest.mark.parametrize("file_format", [FileFormat.CSV, FileFormat.NDJSON])
@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (b"x" * (3 << 20), "line 3 is longer than 1 MiB; write one price per line"),
        (b"x" * (3 << 20) + b"\nshort\n", "line 3 is longer than 1 MiB; write one price per line"),
    ],
    ids=["to the end", "in the middle"],
)
def test_pipeline_rejects_a_line_longer_than_1_mib(file_format: FileFormat, tail: bytes, words: str) -> None:
    line = b'{"origin":"A","destination":"B","date_from":"2024-01-01","date_to":"2024-01-01","price":1}\n'
    head = (HEADER + GOOD).encode() if file_format is FileFormat.CSV else line * 2
    with pytest.raises(FileRejected) as caught:
        read_items(head + tail, file_format)
    assert caught.value.code == "BROKEN_FILE"
    assert words in caught.value.message


def test_pipeline_rejects_a_csv_quote_that_does_not_close_with_its_line() -> None:
    with pytest.raises(FileRejected) as caught:
        read_items((HEADER + GOOD + '"' + GOOD * 100_000).encode(), FileFormat.CSV)
    assert "line 3: unterminated quote" in caught.value.message


def test_pipeline_rejects_a_csv_file_of_many_columns_with_a_short_message() -> None:
    with pytest.raises(FileRejected) as caught:
        read_items(b"a," * 500_000 + b"\n" + b"," * 500_000, FileFormat.CSV)
    assert caught.value.code == "WRONG_COLUMNS"
    assert len(caught.value.message) < 500


def test_pipeline_read_progress_increases_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 200)
    parts = [piece.fraction_read for piece in read_slices(io.BytesIO((HEADER + GOOD * 50).encode()), FileFormat.CSV)]
    assert len(parts) > 5
    assert parts == sorted(parts)
    assert parts[-1] == 1


def test_pipeline_preserves_parquet_prices_and_item_numbers_across_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_file, "MAX_LINES", 3)
    buffer = io.BytesIO()
    prices = [Decimal(number) / 4 for number in range(10)]
    frame = pl.DataFrame({"day": [date(2024, 1, 1)] * 10, "price": prices})
    frame.with_columns(origin_code=pl.lit("A"), destination_code=pl.lit("B")).write_parquet(buffer)
    items = read_items(buffer.getvalue(), FileFormat.PARQUET)
    assert items["item"].to_list() == list(range(1, 11))
    assert [Decimal(price) for price in items["price"]] == prices


@pytest.mark.anyio
async def test_pipeline_rejects_a_file_with_a_value_at_which_polars_panics(small: Connection) -> None:
    tree = await locations.list_locations(small)
    with pytest.raises(FileRejected) as caught:
        async for _ in process_slices(small, panicking_slices(), tree, DEFAULT_LIMITS):
            pass
    assert caught.value.code == "BROKEN_FILE"
    assert await preview(small, panicking_slices(), OnError.REJECT_BATCH, limits=DEFAULT_LIMITS) == Preview(
        BatchOutcome(BatchStatus.REJECTED, 0, 0, 0),
        [Rejection(None, None, "BROKEN_FILE", caught.value.message, None, number=1)],
    )
