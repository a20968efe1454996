"""Rejection reports: every problem once, next to its item, across pages and slices."""

import csv
import io
from collections.abc import AsyncIterator

import pytest

from db.connection import Connection
from db.pool import INGEST, Pool, open_pool
from db.repositories import batches, payloads
from domain.batches import BatchStatus, FileFormat, OnError
from ingest.batches import rejection_report
from ingest.batches.rejection_report import REPORT_COLUMNS, report_rejections
from ingest.readers import line_blocks, price_file
from ingest.tree import change_tree
from ingest.worker import process_next_batch
from tests.support.batches.parquet import parquet
from tests.support.worlds import World, read_items

pytestmark = pytest.mark.anyio

WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
HEADER = "origin,destination,date_from,date_to,price,currency\n"
GOOD = "AAAAA,BBBBB,2024-01-01,2024-01-31,10,USD\n"
ONE_PROBLEM = "AAAAA,BBBBB,2024-01-01,2024-01-31,-1e99,USD\n"
FOUR_PROBLEMS = "?,top,,2024-01-31,x,USD\n"


@pytest.fixture
async def pool(database_url: str, connection: Connection) -> AsyncIterator[Pool]:
    """A pool over two ports with one connection in addition to that of the worker's progress."""
    await change_tree(connection, WORLD.entries())
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        yield pool


async def reject(
    connection: Connection,
    pool: Pool,
    data: str | bytes,
    file_format: str = "csv",
    on_error: OnError = OnError.SKIP_INVALID,
) -> int:
    """Run a worker on a batch with the payload until it ends, and return its id."""
    async with connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=on_error, source="test", idempotency_key=None, payload_sha256=b""
        )
        assert batch_id is not None
        data = data.encode() if isinstance(data, str) else data
        await payloads.insert_payload(connection, batch_id=batch_id, part=0, format=file_format, data=data)
    assert await process_next_batch(pool)
    [batch] = await batches.get_batches(connection, [batch_id])
    assert batch.status in {BatchStatus.APPLIED, BatchStatus.REJECTED}
    return batch_id


async def read_report(pool: Pool, batch_id: int) -> bytes:
    """Return the whole report."""
    return b"".join([chunk async for chunk in report_rejections(pool, batch_id)])


def rows_of(text: bytes) -> list[dict[str, str]]:
    """Return the rows of the report as a CSV reader parses them."""
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


@pytest.mark.parametrize("page_rows", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("max_lines", [1, 2, 5, 100])
async def test_rejection_report_pairs_problems_with_items_for_any_page_and_slice_size(
    connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch, page_rows: int, max_lines: int
) -> None:
    lines = (
        [GOOD] * 3
        + [ONE_PROBLEM]
        + [GOOD] * 6
        + [FOUR_PROBLEMS] * 2
        + [GOOD.replace("BBBBB", "AAAAA"), "\n", ONE_PROBLEM]
    )
    text = HEADER + "".join(lines)
    monkeypatch.setattr(rejection_report, "PAGE_ROWS", page_rows)
    monkeypatch.setattr(line_blocks, "MAX_LINES", max_lines)
    batch_id = await reject(connection, pool, text)
    items = {item: originals for item, *originals in read_items(text.encode(), FileFormat.CSV).rows()}
    expected = [
        [str(problem.item), problem.severity, problem.field, problem.code, problem.message, problem.value or ""]
        + [value or "" for value in items[problem.item]]
        for problem in await batches.list_rejections(connection, batch_id, limit=100)
    ]
    assert len(expected) == 1 + 2 * 4 + 1 + 1
    found = rows_of(await read_report(pool, batch_id))
    assert [list(row.values()) for row in found] == expected
    assert list(found[0]) == list(REPORT_COLUMNS)
    assert found[-1]["item"] == "15"


async def test_rejection_report_quotes_values_according_to_rfc_4180(connection: Connection, pool: Pool) -> None:
    line = '"a ""quoted"" one, with a comma","two\r\nlines",2024-01-01,,10,USD\r\n'
    batch_id = await reject(connection, pool, HEADER + line)
    text = await read_report(pool, batch_id)
    first, second = rows_of(text)
    assert (first["origin"], first["destination"]) == ('a "quoted" one, with a comma', "two\r\nlines")
    assert first["value"] == first["origin"]
    assert second["value"] == second["destination"]
    assert text.endswith(b'"a ""quoted"" one, with a comma","two\r\nlines",2024-01-01,,10,USD\r\n')


async def test_rejection_report_escapes_formulas_and_leaves_numbers_unchanged(
    connection: Connection, pool: Pool
) -> None:
    items = HEADER + "=1+1,@x,+49,-5.5e3,-5.50,-\n" + "＝1,AAAAA,-,2024-01-01,+.5,USD\n"
    found = rows_of(await read_report(pool, await reject(connection, pool, items)))
    first, last = found[0], found[-1]
    assert [first[name] for name in price_file.ITEM_COLUMNS] == ["'=1+1", "'@x", "+49", "-5.5e3", "-5.50", "'-"]
    assert [last[name] for name in price_file.ITEM_COLUMNS] == ["'＝1", "AAAAA", "'-", "2024-01-01", "+.5", "USD"]
    assert (first["value"], first["message"]) == ("'=1+1", "'=1+1 is not a known port")
    assert not [value for row in found for value in row.values() if value[:1] in tuple("=@＝")]


async def test_rejection_report_replaces_nul_characters_and_truncates_long_values(
    connection: Connection, pool: Pool
) -> None:
    line = b'{"origin":"A\\u0000B","destination":"%s","date_from":"2024-01-01","date_to":null,"price":"1"}\n' % (
        b"x" * 5_000
    )
    first, _ = rows_of(await read_report(pool, await reject(connection, pool, line, "ndjson")))
    assert first["origin"] == first["value"] == "A\ufffdB"
    assert first["destination"] == "x" * 200


async def test_rejection_report_shows_parquet_items_as_text(connection: Connection, pool: Pool) -> None:
    data = parquet(origin="AAAAA", destination="BBBBB", date_from="2024-01-01", date_to=None, price=float("inf"))
    (row,) = rows_of(await read_report(pool, await reject(connection, pool, data, "parquet")))
    assert [row["item"], row["code"], row["price"], row["currency"]] == ["1", "INVALID_PRICE", "inf", ""]


async def test_rejection_report_has_empty_item_columns_after_payload_deletion(
    connection: Connection, pool: Pool
) -> None:
    batch_id = await reject(connection, pool, HEADER + FOUR_PROBLEMS)
    await connection.execute("DELETE FROM batch_payloads")
    found = rows_of(await read_report(pool, batch_id))
    assert len(found) == 4
    assert {row[name] for row in found for name in price_file.ITEM_COLUMNS} == {""}
    assert found[0]["item"] == "1"


async def test_rejection_report_of_a_file_rejected_as_a_whole_has_one_row(connection: Connection, pool: Pool) -> None:
    batch_id = await reject(connection, pool, HEADER + FOUR_PROBLEMS + '"')
    (row,) = rows_of(await read_report(pool, batch_id))
    assert (row["item"], row["code"], row["origin"]) == ("", "BROKEN_FILE", "")


@pytest.mark.parametrize("page_rows", [1, 2, 100])
async def test_rejection_report_of_a_csv_dialect_can_be_corrected_and_sent_again(
    connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    monkeypatch.setattr(rejection_report, "PAGE_ROWS", page_rows)
    line = "AAAAA;BBBBB;2024-01-01;2024-01-31;1450,50;USD\n"
    lines = [line, line.replace("BBBBB", "BBBBC"), line.replace("1450,50", "1.450"), "AAAAA;BBBBB;2024-01-01\n"]
    batch_id = await reject(connection, pool, HEADER.replace(",", ";") + "".join(lines))
    note, *rows = rows_of(await read_report(pool, batch_id))
    assert [note[name] for name in ("item", "severity", "code", "origin")] == ["", "WARNING", "CSV_DIALECT", ""]
    assert [(row["item"], row["code"], row["price"]) for row in rows] == [
        ("2", "UNKNOWN_PORT", "1450.50"),
        ("3", "INVALID_PRICE", "1.450"),
        ("4", "MISSING_VALUE", ""),
    ]
    [batch] = await batches.get_batches(connection, [batch_id])
    assert (batch.status, batch.item_count, batch.accepted_count) == (BatchStatus.APPLIED, 4, 1)
    assert batch.attempts == 1


async def test_rejection_report_without_problems_has_only_a_header(connection: Connection, pool: Pool) -> None:
    batch_id = await reject(connection, pool, HEADER + GOOD)
    assert await read_report(pool, batch_id) == (",".join(REPORT_COLUMNS) + "\r\n").encode()
