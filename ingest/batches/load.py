"""Direct load of a local file: accepted and applied in one transaction, without the queue."""

import asyncio
import hashlib
from functools import partial
from typing import BinaryIO

from db.connection import Connection
from db.repositories import audit, batches
from db.repositories.audit import COMMAND, Action
from domain.batch_size import DEFAULT_LIMITS, BatchLimits
from domain.batches import BatchOutcome, FileFormat, OnError
from ingest.batches.apply import ProgressCallback, apply_slices, no_progress
from ingest.readers.price_file import read_slices


class AlreadyLoaded(Exception):
    """The same file was loaded before, as the batch in `batch_id`."""

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"already loaded as batch {batch_id}")
        self.batch_id = batch_id


async def load_file(
    connection: Connection,
    file: BinaryIO,
    declared: FileFormat | None,
    *,
    source: str,
    on_error: OnError,
    again: bool = False,
    limits: BatchLimits = DEFAULT_LIMITS,
    report: ProgressCallback = no_progress,
) -> tuple[int, BatchOutcome]:
    """Accept and apply a local file in one transaction; return the batch's id and outcome.

    Files are recognised by their content: loading one again raises AlreadyLoaded unless `again` is set. An unusable file
    raises FileRejected and leaves no trace, as does one that exceeds the limits.
    """
    report("reading", 0.0)
    digest = await asyncio.to_thread(lambda: hashlib.file_digest(file, "sha256"))  # type: ignore[arg-type]
    key = None if again else f"file:{on_error}:{digest.hexdigest()}"
    async with connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=on_error, source=source, idempotency_key=key, payload_sha256=digest.digest()
        )
        if batch_id is None:
            first = await batches.find_batch_by_key(connection, key or "")
            raise AlreadyLoaded(first.id if first else 0)
        slices = partial(read_slices, file, declared)
        outcome = await apply_slices(connection, batch_id, slices, on_error, report, limits=limits)
        await batches.end_batch(connection, batch_id, outcome)
        await audit.insert_entry(connection, COMMAND, Action.UPLOAD, batch_id=batch_id, detail=source)
    return batch_id, outcome
