"""What the ingest engine does for requests: take batches back, change the tree, try uploads, report rejections.

It brings polars and numpy along, 40 MB that a process which only answers questions does not need. So its modules are imported
when they are first used, in a thread, as that takes a quarter of a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from importlib import import_module
from types import ModuleType
from typing import BinaryIO

from db.pool import Pool
from db.repositories.previews import Preview
from domain.batches import BatchStatus, FileFormat, OnError, Rejection
from domain.locations import TreeChange, TreeEntry
from ingest.errors import TreeRejected
from resolvers.context import PreviewUpload
from resolvers.errors import RequestError

MAX_QUEUE_SECONDS = 10.0
"""How long a dry run may wait for those before it: some ten of a hundred thousand items, and less than clients wait."""


async def _import_ingest(module: str) -> ModuleType:
    return await asyncio.to_thread(import_module, f"ingest.{module}")


async def revert_batch(pool: Pool, batch_id: int, by: str) -> BatchStatus | None:
    """Take an applied batch back; return the status that it had, or None when there is no such batch."""
    engine = await _import_ingest("batches.revert")
    async with pool.connection() as connection:
        status: BatchStatus | None = await engine.revert_batch(connection, batch_id, by=by)
        return status


async def change_tree(pool: Pool, entries: Sequence[TreeEntry], by: str) -> TreeChange | Rejection:
    """Add, update or move locations; a change that would break the tree is returned as the problem that it has."""
    engine = await _import_ingest("tree")
    try:
        async with pool.connection() as connection:
            normalized = [engine.normalize(entry) for entry in entries]
            change: TreeChange = await engine.change_tree(connection, normalized, by=by)
            return change
    except TreeRejected as error:
        return Rejection(error.number, None, error.code, error.message, None)


async def _preview_upload(pool: Pool, file: BinaryIO, file_format: FileFormat, on_error: OnError) -> Preview:
    """Return what would become of an upload."""
    engine, files = await _import_ingest("batches.preview"), await _import_ingest("readers.price_file")
    async with pool.connection() as connection:
        preview: Preview = await engine.preview(connection, files.read_slices(file, file_format), on_error)
        return preview


async def report_rejections(pool: Pool, batch_id: int) -> AsyncGenerator[bytes]:
    """Return the report of a batch that has ended, as lines of CSV to come."""
    engine = await _import_ingest("batches.rejection_report")
    report: AsyncGenerator[bytes] = engine.report_rejections(pool, batch_id)
    return report


def create_previewer(ingest_pool: Pool) -> PreviewUpload:
    """Return what tries uploads for this process. It raises RequestError (DRY_RUN_BUSY) where too many want to at once."""
    turn = asyncio.Lock()

    async def preview_upload(file: BinaryIO, file_format: FileFormat, on_error: OnError) -> Preview:
        try:
            async with asyncio.timeout(MAX_QUEUE_SECONDS):
                await turn.acquire()
        except TimeoutError:
            message = f"Other dry runs have kept this one waiting for {MAX_QUEUE_SECONDS:g} seconds. Try again shortly."
            raise RequestError("DRY_RUN_BUSY", message) from None
        try:
            return await _preview_upload(ingest_pool, file, file_format, on_error)
        finally:
            turn.release()

    return preview_upload
