"""Adapter to the ingest engine: reverts, tree changes, dry runs and rejection reports.

The engine imports polars and numpy, 40 MB that a process does not need for queries. So its modules are imported lazily. The
import runs in a thread, because it lasts a quarter of a second.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from types import ModuleType
from typing import BinaryIO

from db.errors import LockTimeout, ServerBusy, TreeChangeRunning
from db.pool import Pool
from db.repositories import locations
from db.repositories.previews import Preview
from domain.archive import ArchivedFile
from domain.batch_size import BatchLimits
from domain.batches import BatchStatus, FileFormat, OnError, Rejection
from domain.locations import TreeChange, TreeEntry
from domain.prices import DateRange, PackedPrices
from ingest.errors import ArchiveError, TreeRejected
from resolvers.context import PreviewUpload
from resolvers.errors import RequestError
from resolvers.loading.lane_prices import ReadArchive

log = logging.getLogger("ratesgraph.server")

MAX_QUEUE_SECONDS = 10.0
"""Maximum waiting time of a dry run in the queue.

It suffices for about ten dry runs of 100,000 items, and is shorter than the timeouts of clients.
"""

MAX_ARCHIVE_READERS = 4
"""Archived files that a process reads at the same time, mostly waiting for a disk or a bucket.

polars decodes on all cores anyway.
"""
ARCHIVE_SHARE = 0.8
"""Share of the time of a query after which a silent disk or bucket is given up: the other fields are still answered."""


async def _import_ingest(module: str) -> ModuleType:
    return await asyncio.to_thread(import_module, f"ingest.{module}")


@asynccontextmanager
async def explain_waits(reading_pool: Pool) -> AsyncIterator[None]:
    """Raise TreeChangeRunning if the block waited in vain while the tree is changed.

    Such work waits for the lock of the tree, or for a connection of the ingest pool because others wait for that lock.
    """
    try:
        yield
    except (ServerBusy, LockTimeout, TimeoutError) as error:
        if await reading_pool.read(locations.is_tree_changing):
            raise TreeChangeRunning from error
        raise


@contextmanager
def explain_archive() -> Iterator[None]:
    """Raise RequestError with the code of an ArchiveError of the block, and log its message.

    The message names folders and buckets, which clients must not see.
    """
    try:
        yield
    except ArchiveError as error:
        log.error("archive cannot be read: %s", error.message, extra={"code": error.code})
        message = "Prices of an archived month cannot be read"
        where = f": {error.file}" if error.file else ""
        advice = "Averages are still answered. The operator finds the reason and the remedy in the log of the server"
        raise RequestError(error.code, f"{message}{where}. {advice}.", file=error.file) from error


def create_archive_reader(execution_seconds: float) -> ReadArchive:
    """Return the function that reads prices from archived files, in threads of its own.

    If a request ends early, only the files that are being read are read to their end. `execution_seconds` is the maximum time
    of a query.
    """
    max_seconds = ARCHIVE_SHARE * execution_seconds
    threads = ThreadPoolExecutor(MAX_ARCHIVE_READERS, thread_name_prefix="archive")

    async def read_archive(
        files: Sequence[ArchivedFile], origins: Sequence[int], destinations: Sequence[int], days: DateRange
    ) -> PackedPrices:
        engine = await _import_ingest("archive.reader")
        loop = asyncio.get_running_loop()
        with explain_archive():
            reads = (
                loop.run_in_executor(threads, engine.pack_lane_prices, file, origins, destinations, days)
                for file in files
            )
            try:
                async with asyncio.timeout(max_seconds):
                    parts: list[PackedPrices] = await asyncio.gather(*reads)
            except TimeoutError as error:
                message = f"{len(files)} files such as {files[0].url} were not read within {max_seconds:g} s"
                raise ArchiveError("ARCHIVE_UNREACHABLE", message) from error
        return PackedPrices(*map(b"".join, zip(*parts, strict=True)))

    return read_archive


async def revert_batch(pool: Pool, reading_pool: Pool, batch_id: int, by: str) -> BatchStatus | None:
    """Revert an applied batch. Return its previous status, or None if it does not exist.

    Raise TreeChangeRunning if it waited too long for a change of the tree, and RequestError if archived prices of the batch
    cannot be read.
    """
    engine = await _import_ingest("batches.revert")
    with explain_archive():
        async with explain_waits(reading_pool), pool.connection() as connection:
            status: BatchStatus | None = await engine.revert_batch(connection, batch_id, by=by)
            return status


async def change_tree(
    pool: Pool, reading_pool: Pool, max_moved_rows: int, entries: Sequence[TreeEntry], by: str
) -> TreeChange | Rejection:
    """Add, update or move locations.

    Return the rejection if the tree would become invalid, or if more than `max_moved_rows` rows of totals would move. Raise
    TreeChangeRunning if it waited too long for another change, and RequestError if archived prices cannot be read.
    """
    engine = await _import_ingest("tree")
    try:
        with explain_archive():
            async with explain_waits(reading_pool), pool.connection() as connection:
                # Ten thousand locations would block the event loop for a fifth of a second.
                normalized = await asyncio.to_thread(lambda: [engine.normalize(entry) for entry in entries])
                change: TreeChange = await engine.change_tree(
                    connection, normalized, by=by, max_moved_rows=max_moved_rows
                )
                return change
    except TreeRejected as error:
        return Rejection(error.number, None, error.code, error.message, None)


async def _preview_upload(
    pool: Pool, file: BinaryIO, file_format: FileFormat, on_error: OnError, limits: BatchLimits
) -> Preview:
    """Run an upload without storing it and return the preview."""
    engine, files = await _import_ingest("batches.preview"), await _import_ingest("readers.price_file")
    async with pool.connection() as connection:
        slices = files.read_slices(file, file_format)
        preview: Preview = await engine.preview(connection, slices, on_error, limits=limits)
        return preview


async def report_rejections(pool: Pool, batch_id: int) -> AsyncGenerator[bytes]:
    """Return the rejection report of a batch that has ended, as an iterator of CSV chunks."""
    engine = await _import_ingest("batches.rejection_report")
    report: AsyncGenerator[bytes] = engine.report_rejections(pool, batch_id)
    return report


def create_previewer(ingest_pool: Pool, reading_pool: Pool, limits: BatchLimits) -> PreviewUpload:
    """Return the function that runs dry runs, one at a time per process.

    It raises RequestError (DRY_RUN_BUSY) if the queue is too long, and TreeChangeRunning if a change of the tree is the
    reason.
    """
    lock = asyncio.Lock()

    async def preview_upload(file: BinaryIO, file_format: FileFormat, on_error: OnError) -> Preview:
        try:
            async with explain_waits(reading_pool), asyncio.timeout(MAX_QUEUE_SECONDS):
                await lock.acquire()
        except TimeoutError:
            message = f"Dry-run queue is full: waited {MAX_QUEUE_SECONDS:g} s. Try again shortly."
            raise RequestError("DRY_RUN_BUSY", message) from None
        try:
            async with explain_waits(reading_pool):
                return await _preview_upload(ingest_pool, file, file_format, on_error, limits)
        finally:
            lock.release()

    return preview_upload
