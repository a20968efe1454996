"""Dry runs in a server process: one after the other, because each takes memory and a core's time beside all other requests."""

import asyncio
from typing import BinaryIO

from db.model import FileFormat, OnError
from db.pool import Pool
from db.previews import Preview
from ingest.files import read_slices
from ingest.preview import preview
from resolvers.context import PreviewUpload
from resolvers.errors import RequestError

MAX_WAIT_SECONDS = 10.0
"""How long a dry run may wait for those before it: some ten of a hundred thousand items, and less than clients wait."""


def make_preview_upload(ingest_pool: Pool) -> PreviewUpload:
    """Return what tries uploads for this process. It raises RequestError (DRY_RUN_BUSY) where too many want to at once."""
    turn = asyncio.Lock()

    async def preview_upload(file: BinaryIO, file_format: FileFormat, on_error: OnError) -> Preview:
        slices = read_slices(file, file_format)
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await turn.acquire()
        except TimeoutError:
            message = f"Other dry runs have kept this one waiting for {MAX_WAIT_SECONDS:g} seconds. Try again shortly."
            raise RequestError("DRY_RUN_BUSY", message) from None
        try:
            async with ingest_pool.connection() as connection:
                return await preview(connection, slices, on_error)
        finally:
            turn.release()

    return preview_upload
