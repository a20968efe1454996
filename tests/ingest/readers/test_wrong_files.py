"""One worker process against every malformed file: one clear rejection, no side effects."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import batches, payloads
from domain.batches import BatchStatus, OnError, PriceBatch
from ingest.tree import change_tree
from tests.support.commands.processes import COMMAND, environment
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import World
from tests.support.wrong_files import HEADER, LINE, SOUND_PARQUET, WRONG_FILES, WrongFile

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux has /proc"),
]
WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
PART_BYTES = 4 << 20
MAX_MEMORY_BYTES = 700 << 20


@pytest.fixture(scope="module")
def worker(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    """The single process that applies all batches of the module, on a database with a tree."""

    async def make_tree() -> None:
        async with connect(module_database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())

    asyncio.run(make_tree())
    log = tmp_path_factory.mktemp("worker") / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([COMMAND, "worker"], env=environment(module_database_url), stdout=file, stderr=file)
    try:
        yield process
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Connection]:
    """A connection to the worker's database."""
    async with connect(module_database_url, INGEST) as connection:
        yield connection


async def upload(connection: Connection, pieces: Iterator[bytes], file_format: str) -> int:
    """Enqueue a file as an upload does: in parts, in one transaction."""
    async with connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=OnError.REJECT_BATCH, source="test", idempotency_key=None, payload_sha256=b""
        )
        assert batch_id is not None
        part, rest = 0, b""
        for piece in pieces:
            rest += piece
            while len(rest) >= PART_BYTES:
                await payloads.insert_payload(
                    connection, batch_id=batch_id, part=part, format=file_format, data=rest[:PART_BYTES]
                )
                part, rest = part + 1, rest[PART_BYTES:]
        if rest or not part:
            await payloads.insert_payload(connection, batch_id=batch_id, part=part, format=file_format, data=rest)
        await batches.announce_batch(connection)
    return batch_id


async def end_of(connection: Connection, batch_id: int) -> PriceBatch:
    """Return the batch once it has ended, after a single attempt."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        [batch] = await batches.get_batches(connection, [batch_id])
        assert batch.failure is None
        if batch.status.has_ended:
            assert batch.attempts == 1
            return batch
        assert time.monotonic() < deadline, batch
        await asyncio.sleep(0.02)


async def count_rows(connection: Connection) -> tuple[int, int]:
    """Return the number of prices and of totals."""
    rows = await connection.execute("SELECT (SELECT count(*) FROM prices), (SELECT count(*) FROM price_totals)")
    return (await rows.fetchall())[0]


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    """Return the peak memory of the process in bytes."""
    [line] = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


def children_of(process: subprocess.Popen[bytes]) -> list[str]:
    """Return the ids of the running child processes."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return [child for thread in threads for child in (thread / "children").read_text().split()]


@pytest.mark.parametrize("wrong", WRONG_FILES, ids=lambda wrong: wrong.name)
async def test_worker_rejects_an_invalid_file_with_one_rejection_and_stores_nothing(
    database: Connection, worker: subprocess.Popen[bytes], wrong: WrongFile
) -> None:
    before = await count_rows(database)
    batch = await end_of(database, await upload(database, wrong.chunks(), wrong.file_format))
    [rejection] = await batches.list_rejections(database, batch.id, limit=5)
    assert (batch.status, rejection.item, rejection.code) == (BatchStatus.REJECTED, wrong.item, wrong.code)
    assert wrong.message in rejection.message
    assert len(rejection.message) < 500
    assert await count_rows(database) == before
    assert worker.poll() is None
    assert peak_memory(worker) < MAX_MEMORY_BYTES


@pytest.mark.parametrize(("data", "file_format"), [(HEADER + LINE, "csv"), (SOUND_PARQUET, "parquet")])
async def test_worker_processes_valid_files_after_invalid_ones(
    database: Connection, worker: subprocess.Popen[bytes], data: bytes, file_format: str
) -> None:
    batch = await end_of(database, await upload(database, iter([data]), file_format))
    # The Parquet file is well-formed, but its two rows name unknown ports.
    assert batch.status is (BatchStatus.APPLIED if file_format == "csv" else BatchStatus.REJECTED)
    assert batch.item_count == (1 if file_format == "csv" else 2)
    assert worker.poll() is None


async def test_worker_leaves_no_parquet_reader_process_running(
    database: Connection, worker: subprocess.Popen[bytes]
) -> None:
    await end_of(database, await upload(database, iter([SOUND_PARQUET]), "parquet"))
    assert children_of(worker) == []
