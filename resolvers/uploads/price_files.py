"""Uploads of price files, read and stored in chunks so that no file is fully in memory."""

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
"""Size of a chunk in memory, and of a stored part that a worker reads."""
MAX_SOURCE_LENGTH = 200


@runtime_checkable
class UploadedFile(Protocol):
    """Complete file of a request, on disk unless it is small."""

    @property
    def filename(self) -> str | None:
        """Name of the file, from the client."""

    @property
    def file(self) -> BinaryIO:
        """Blocking interface to the file, for threads."""

    async def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; none at the end of the file."""

    async def seek(self, offset: int) -> None:
        """Set the position of the next read."""


async def upload_price_file(
    context: RequestContext,
    file: UploadedFile,
    *,
    file_format: FileFormat | None,
    on_error: OnError,
    idempotency_key: str | None,
    wait_ms: int,
) -> UploadResult:
    """Store the file with its batch in one transaction, then wait up to `wait_ms` for its end.

    Without a format, the file name determines it. If the idempotency key was used with the same content, format and
    `on_error`, return the first batch and store nothing. Raise RequestError (INVALID_WAIT).
    """
    check_wait(context, wait_ms)
    found = detect_file_format(file, file_format)
    if isinstance(found, Rejection):
        return UploadResult(None, user_errors=[found])
    if (problem := validate_idempotency_key(idempotency_key)) is not None:
        return UploadResult(None, user_errors=[problem])
    digest = await _digest(file, found, on_error)
    if digest is None:
        return UploadResult(None, user_errors=[Rejection(None, "file", "EMPTY_BATCH", "the file is empty", None)])
    # The semaphore leaves connections for reads, however many files arrive at the same time.
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


def detect_file_format(file: UploadedFile, file_format: FileFormat | None) -> FileFormat | Rejection:
    """Return the given format, or else the format of the file name's extension."""
    name = base_name(file.filename)
    detected = file_format or find_format(name)
    if detected is not None:
        return detected
    problem = "unsupported file name" if name else "the file part has no file name"
    message = f"{problem}: expected extension {', '.join(SUFFIXES)} or the `format` argument"
    return Rejection(None, "file", "UNKNOWN_FORMAT", message, name or None)


def base_name(filename: str | None) -> str:
    """Return the last MAX_SOURCE_LENGTH printable characters of a file name without folders."""
    base = (filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, base)).strip()[-MAX_SOURCE_LENGTH:]


async def _chunks(file: UploadedFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while data := await file.read(PART_BYTES):
        yield data


async def _digest(file: UploadedFile, file_format: FileFormat, on_error: OnError) -> bytes | None:
    """Return the digest that identifies a replay of the same upload, or None for an empty file."""
    digest = hashlib.sha256(f"{on_error}\n{file_format}\n".encode())
    empty = True
    async for data in _chunks(file):
        empty = False
        await asyncio.to_thread(digest.update, data)
    return None if empty else digest.digest()
