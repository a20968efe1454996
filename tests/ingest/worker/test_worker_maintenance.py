"""Periodic maintenance of a worker, which delays no batch."""

import asyncio
import logging
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import payloads, prices, sketches
from domain.batches import BatchStatus, Payload
from ingest import maintenance
from ingest.archive.write import archive_prices
from ingest.tree import change_tree
from ingest.verify import verify
from ingest.worker import run_worker
from tests.support.batches.queue import LINE, WORLD, accept, count_prices, wait_for
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import Item, apply_frame, frame_of

pytestmark = pytest.mark.anyio


async def test_worker_deletes_payloads_after_the_retention_period(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change_tree(connection, WORLD.entries())
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.05)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop, payload_days=7))
    old, new = await accept(connection), await accept(connection)
    await wait_for(connection, new, BatchStatus.APPLIED)
    await connection.execute("UPDATE price_batches SET ended_at = now() - interval '8 days' WHERE id = %s", (old,))
    async with asyncio.timeout(DEADLINE_SECONDS):
        # The test waits for a change in the database, where no event can be set.
        while await payloads.find_payload(connection, old) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert await payloads.find_payload(connection, new) == Payload("ndjson", 1, len(LINE))
    assert await count_prices(connection) == 2


async def test_maintenance_goes_on_without_an_archived_file(
    connection: Connection,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost, present = date(2020, 1, 1), date(2020, 2, 1)
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([Item("AAAAA", "BBBBB", day, day, Decimal(5)) for day in (lost, present)]))
    async with connect(database_url, INGEST) as archiving:
        assert [month.month async for month in archive_prices(archiving, present, tmp_path.as_uri())] == [lost]
    [listed] = await prices.list_archived_files(connection)
    file = tmp_path / Path(listed.url).relative_to(tmp_path.as_uri().replace("///", "/"))
    away = file.rename(tmp_path / "away")
    await sketches.mark_stale(connection, [sketches.ALL_MONTHS])
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.05)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await sketches.list_stale_months(connection) != [lost] or "cannot build sketches" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    away.rename(file)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await sketches.list_stale_months(connection):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert [found async for _, found in verify(connection) if found] == []


async def test_worker_replaces_damaged_sketches(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([Item("AAAAA", "BBBBB", date(2024, 1, 1), date(2024, 1, 1), Decimal(5))]))
    await connection.execute(
        "INSERT INTO price_sketches SELECT id, id, '2024-01-01', '\\x0001' FROM locations, generate_series(1, 20)"
    )
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.05)
    caplog.set_level(logging.INFO, "ratesgraph.worker")
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while "built the sketches of 2024-01" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert "maintenance failed" not in caplog.text
    assert [found async for _, found in verify(connection) if found] == []


async def test_maintenance_goes_on_after_an_unexpected_error(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await change_tree(connection, WORLD.entries())

    async def fail(*_arguments: object, **_options: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(maintenance, "compact", fail)
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.05)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while caplog.text.count("maintenance failed") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)
