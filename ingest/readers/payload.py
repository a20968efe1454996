"""Payload of a batch as a temporary file, fetched from the database part by part."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import BinaryIO

from db.connection import Connection
from db.repositories import payloads
from domain.batches import FileFormat
from ingest.errors import FileRejected


@asynccontextmanager
async def open_payload(connection: Connection, batch_id: int) -> AsyncIterator[tuple[BinaryIO, FileFormat]]:
    """Yield the uploaded payload and its format.

    Raise FileRejected (PAYLOAD_GONE) if it has expired.
    """
    payload = await payloads.find_payload(connection, batch_id)
    if payload is None:
        raise FileRejected("PAYLOAD_GONE", "the uploaded payload has expired; upload it again")
    with TemporaryFile(prefix="ratesgraph-") as file:
        for part in range(payload.parts):
            data = await payloads.get_payload_part(connection, batch_id, part)
            await asyncio.to_thread(file.write, data)
        file.flush()
        yield file, FileFormat(payload.format)
