"""Dry runs in a server process: one after the other, because each takes memory and a core's time beside all other requests."""

import asyncio
from typing import BinaryIO

from db.model import FileFormat, OnError
from db.pool import Pool
from db.previews import Preview
from resolvers.context import PreviewUpload
from resolvers.errors import RequestError
from server import engine

MAX_WAIT_SECONDS = 10.0
"""How long a dry run may wait for those before it: some ten of a hundred thousand items, and less than clients wait."""


def make_preview_upload(ingest_pool: Pool) -> PreviewUpload:
    """Return what tries uploads for this process. It raises RequestError (DRY_RUN_BUSY) where too many want to at once."""
    turn = asyncio.Lock()

    async def preview_upload(file: BinaryIO, file_format: FileFormat, on_error: OnError) -> Preview:
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await turn.acquire()
        except TimeoutError:
            message = f"Other dry runs have kept this one waiting for {MAX_WAIT_SECONDS:g} seconds. Try again shortly."
            raise RequestError("DRY_RUN_BUSY", message) from None
        try:
            return await engine.preview_upload(ingest_pool, file, file_format, on_error)
        finally:
            turn.release()

    return preview_upload
