"""`ratesgraph archive`: months in folders and buckets, dry runs, late prices, retention."""

import asyncio
import os
import subprocess
from contextlib import closing, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import psycopg
import pytest

from db.pool import INGEST, connect
from ingest.archive.storage import split_url
from ingest.batches.revert import revert_batch
from tests.support.batches.archives import answers, count_prices, rows, urls
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import COMMAND, environment, ratesgraph
from tests.support.worlds import Item, apply_frame, frame_of


def test_archive_moves_old_months_and_changes_no_answer(filled_url: str, archive_url: str) -> None:
    before = answers(filled_url)
    arguments = ["archive", "--before", "2024-02", "--to", archive_url]
    dry = ratesgraph_in_process(filled_url, *arguments, "--dry-run").stdout
    assert "18 prices of 2 months would move" in dry
    assert "2023-12" in dry
    assert "2024-01" in dry
    assert count_prices(filled_url) == (36, 0)
    done = ratesgraph(filled_url, *arguments).stdout
    assert "18 prices of 2 months moved" in done
    # The months of the last days: six prices of December ended in January.
    assert rows(filled_url, "SELECT month::text, row_count FROM archived_files ORDER BY month") == [
        ("2023-12-01", 6),
        ("2024-01-01", 12),
    ]
    assert count_prices(filled_url) == (18, 18)
    assert answers(filled_url) == before
    assert "All averages verified" in ratesgraph_in_process(filled_url, "verify").stdout
    again = ratesgraph_in_process(filled_url, *arguments).stdout
    assert "There are no prices before 2024-02" in again
    assert ratesgraph_in_process(filled_url, *arguments, "--dry-run").stdout == again
    assert "2023-12: 6 prices moved to" in ratesgraph_in_process(filled_url, "audit").stdout


def test_archive_prints_each_month_when_it_has_moved(filled_url: str, tmp_path: Path) -> None:
    arguments = ["archive", "--before", "2024-03", "--to", tmp_path.as_uri()]
    with psycopg.connect(filled_url) as holder, closing(holder.cursor()) as cursor:
        cursor.execute("SELECT FROM prices WHERE last_day BETWEEN '2024-01-01' AND '2024-01-31' FOR UPDATE")
        with subprocess.Popen(
            [COMMAND, *arguments], env=environment(filled_url), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            # The second month still waits for its rows.
            assert count_prices(filled_url) == (30, 6)
            holder.rollback()
            *others, total = process.stdout.readlines()
    assert process.returncode == 0
    assert [line.split(", ")[0] for line in (first, *others)] == [
        "2023-12: 6 prices",
        "2024-01: 12 prices",
        "2024-02: 12 prices",
    ]
    assert total.startswith("30 prices of 3 months moved to file://")
    deleted = ratesgraph_in_process(filled_url, "archive", "--delete-older-than", "2024-02").stdout.splitlines()
    assert [line.split(", ")[0] for line in deleted[:-1]] == ["2023-12: 6 prices", "2024-01: 12 prices"]
    assert deleted[-1].startswith("18 archived prices of 2 months deleted")


def test_deletion_prints_the_months_that_are_gone_before_an_error(filled_url: str, tmp_path: Path) -> None:
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-03", "--to", tmp_path.as_uri())
    [missing] = tmp_path.glob("month=2024-01/*")
    missing.unlink()
    # This process may have the file in its cache.
    failed = ratesgraph(filled_url, "archive", "--delete-older-than", "2024-03", exit_code=1)
    assert failed.stdout.startswith("2023-12: 6 prices, ")
    assert failed.stdout.count("\n") == 1
    assert failed.stderr.startswith("ARCHIVE_FILE_MISSING: ")


def test_archive_prints_months_above_its_progress_bar(filled_url: str, tmp_path: Path) -> None:
    arguments = ["archive", "--before", "2024-03", "--to", tmp_path.as_uri()]
    main, terminal = os.openpty()
    variables = {**environment(filled_url), "TERM": "xterm"}
    with (
        os.fdopen(main, "rb", buffering=0) as shown,
        subprocess.Popen([COMMAND, *arguments], env=variables, stdout=terminal, stderr=terminal) as process,
    ):
        os.close(terminal)
        text = b""
        # Linux reports the closed terminal as an error.
        with suppress(OSError):
            while part := shown.read(65_536):
                text += part
    assert process.returncode == 0
    for month in b"2023-12", b"2024-01", b"2024-02":
        # The line of the bar was erased before.
        assert b"\x1b[2K" + month + b": " in text


def test_archived_files_hold_exact_amounts_and_rates(filled_url: str, archive_url: str) -> None:
    table = (
        "SELECT batch_id, usd_cents, item, origin, destination, first_day, last_day, rate_day, amount, rate, currency"
    )
    expected = sorted(rows(filled_url, f"{table} FROM prices WHERE last_day < '2024-01-01'"))
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-01", "--to", archive_url)
    [url] = urls(filled_url)
    storage, name = split_url(url)
    frame = pl.read_parquet(storage.read(name))
    assert sorted(frame.rows()) == expected
    assert frame.schema["amount"] == pl.Decimal(16, 4)
    assert frame.schema["rate"] == pl.Decimal(24, 12)
    assert frame.select("origin", "destination").rows() == sorted(frame.select("origin", "destination").rows())


def test_late_price_of_an_archived_month_stays_until_the_next_run(filled_url: str, archive_url: str) -> None:
    arguments = ["archive", "--before", "2024-02", "--to", archive_url]
    ratesgraph_in_process(filled_url, *arguments)

    async def upload() -> None:
        async with connect(filled_url, INGEST) as connection:
            day = date(2023, 12, 3)
            await apply_frame(connection, frame_of([Item("CNSGH", "NLRTM", day, day, Decimal(7))]))

    asyncio.run(upload())
    before = answers(filled_url)
    assert count_prices(filled_url) == (19, 18)
    assert "All averages verified" in ratesgraph_in_process(filled_url, "verify").stdout
    assert "1 price of 1 month moved" in ratesgraph_in_process(filled_url, *arguments).stdout
    assert count_prices(filled_url) == (18, 19)
    assert answers(filled_url) == before


def test_deletion_removes_old_months_from_files_and_averages(filled_url: str, archive_url: str) -> None:
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", archive_url)
    [oldest, kept] = urls(filled_url)
    dry = ratesgraph_in_process(filled_url, "archive", "--delete-older-than", "2024-01", "--dry-run").stdout
    assert "6 archived prices of 1 month would be deleted" in dry
    assert count_prices(filled_url) == (18, 18)
    done = ratesgraph_in_process(filled_url, "archive", "--delete-older-than", "2024-01").stdout
    assert "6 archived prices of 1 month deleted" in done
    assert urls(filled_url) == [kept]
    assert rows(filled_url, "SELECT sum(price_count)::int FROM archived_lanes") == [(12,)]
    days = {day["day"]: day for day in answers(filled_url)["averagePrices"]}
    assert days["2023-12-02"]["priceCount"] == 0
    # Prices that began in the deleted month and ended later remain.
    assert days["2023-12-30"]["priceCount"] == 6
    assert "All averages verified" in ratesgraph_in_process(filled_url, "verify").stdout
    assert oldest in ratesgraph_in_process(filled_url, "audit").stdout
    storage, name = split_url(oldest)
    with pytest.raises(Exception, match="does not exist"):
        storage.read(name)
    for options in [], ["--dry-run"]:
        repeated = ratesgraph_in_process(filled_url, "archive", "--delete-older-than", "2024-01", *options).stdout
        assert repeated == "There are no archived months before 2024-01.\n"


def test_revert_of_an_archived_batch_subtracts_its_prices(filled_url: str, archive_url: str) -> None:
    async def revert() -> None:
        async with connect(filled_url, INGEST) as connection:
            [(batch_id,)] = await (await connection.execute("SELECT min(id) FROM price_batches")).fetchall()
            assert await revert_batch(connection, batch_id) == "APPLIED"
            assert await revert_batch(connection, batch_id) == "REVERTED"

    ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", archive_url)
    asyncio.run(revert())
    days = {day["day"]: day for day in answers(filled_url)["averagePrices"]}
    assert days["2023-12-02"]["priceCount"] == 0
    assert days["2024-01-02"] == {
        "day": "2024-01-02", "priceCount": 6, "averagePrice": 333335.68,
        "lowPrice": -3.1, "highPrice": 1000000.12, "medianPrice": 10.01,
    }  # fmt: skip
    assert "All averages verified" in ratesgraph_in_process(filled_url, "verify").stdout
    assert rows(filled_url, "SELECT sum(price_count)::int FROM archived_lanes") == [(6,)]
    # The deletion does not subtract the reverted prices again.
    ratesgraph_in_process(filled_url, "archive", "--delete-older-than", "2024-03")
    assert "All averages verified" in ratesgraph_in_process(filled_url, "verify").stdout
