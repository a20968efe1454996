"""Files of prices: read and stored part by part, so that none is ever whole in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import BinaryIO, Protocol, runtime_checkable

from db.repositories.payloads import SUFFIXES, find_format
from domain.batches import FileFormat, OnError, Rejection
from resolvers.context import RequestContext
from resolvers.uploads.batch_storage import store_batch
from resolvers.uploads.batches import UploadResult, build_upload_result, check_wait, validate_idempotency_key

PART_BYTES = 4 * 1024 * 1024
"""What is in memory of a file at a time, and what a worker reads of it at a time."""
MAX_SOURCE_LENGTH = 200


@runtime_checkable
class UploadedFile(Protocol):
    """A file that came with a request. It is complete, and lies outside of memory unless it is small."""

    @property
    def filename(self) -> str | None:
        """What the caller calls it."""

    @property
    def file(self) -> BinaryIO:
        """The same, for threads."""

    async def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none at the end."""

    async def seek(self, offset: int) -> None:
        """Read on from there."""


async def upload_price_file(
    context: RequestContext,
    file: UploadedFile,
    *,
    file_format: FileFormat | None,
    on_error: OnError,
    idempotency_key: str | None,
    wait_ms: int,
) -> UploadResult:
    """Store the file with its batch in one transaction, then wait up to `wait_ms` until a worker has ended it.

    Without a format the file's name tells it. The same key with the same content, format and `on_error` returns the first
    batch and stores nothing. Raise RequestError (INVALID_WAIT).
    """
    check_wait(context, wait_ms)
    found = detect_file_format(file, file_format)
    if isinstance(found, Rejection):
        return UploadResult(None, user_errors=[found])
    if (problem := validate_idempotency_key(idempotency_key)) is not None:
        return UploadResult(None, user_errors=[problem])
    digest = await _digest(file, found, on_error)
    if digest is None:
        return UploadResult(None, user_errors=[Rejection(None, "file", "EMPTY_BATCH", "there is no byte in it", None)])
    # However many files arrive at once, storing them leaves connections for reading.
    async with context.app.file_upload_semaphore:
        batch_id = await store_batch(
            context,
            partial(_chunks, file),
            found,
            on_error=on_error,
            source=base_name(file.filename) or "uploadPriceFile",
            idempotency_key=idempotency_key,
            digest=digest,
        )
    return await build_upload_result(context, batch_id, idempotency_key=idempotency_key, digest=digest, wait_ms=wait_ms)


def detect_file_format(file: UploadedFile, given: FileFormat | None) -> FileFormat | Rejection:
    """Return what the file is: what the caller says, or what its name promises."""
    name = base_name(file.filename)
    found = given or find_format(name)
    if found is not None:
        return found
    message = f"the file's name must end in one of {', '.join(SUFFIXES)}, or `format` must say what it is"
    return Rejection(None, "file", "UNKNOWN_FORMAT", message, name or None)


def base_name(filename: str | None) -> str:
    """Return the printable end of a file's name, without folders, up to MAX_SOURCE_LENGTH characters from its end."""
    base = (filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, base)).strip()[-MAX_SOURCE_LENGTH:]


async def _chunks(file: UploadedFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while data := await file.read(PART_BYTES):
        yield data


async def _digest(file: UploadedFile, file_format: FileFormat, on_error: OnError) -> bytes | None:
    """Return what tells a replay from another upload, or None when the file is empty."""
    digest = hashlib.sha256(f"{on_error}\n{file_format}\n".encode())
    empty = True
    async for data in _chunks(file):
        empty = False
        await asyncio.to_thread(digest.update, data)
    return None if empty else digest.digest()
