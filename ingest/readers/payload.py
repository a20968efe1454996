"""The payload of a batch as a file: fetched part by part into a temporary one, which is gone with the process."""

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
    """Yield what was uploaded, and its format. Raise FileRejected (PAYLOAD_GONE) when it is not kept any longer."""
    payload = await payloads.find_payload(connection, batch_id)
    if payload is None:
        raise FileRejected("PAYLOAD_GONE", "what was uploaded is not kept any longer")
    with TemporaryFile(prefix="ratesgraph-") as file:
        for part in range(payload.parts):
            data = await payloads.get_payload_part(connection, batch_id, part)
            await asyncio.to_thread(file.write, data)
        file.flush()
        yield file, FileFormat(payload.format)
