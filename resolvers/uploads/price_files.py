"""Uploads of price files, read and stored in chunks so that no file is fully in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Protocol, runtime_checkable

from domain.batches import FileFormat, OnError, Rejection
from domain.file_formats import detect_format, find_format
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

    The first bytes determine the format; the given one, or else the file name, only where they fit several. If the idempotency
    key was used with the same content, format and `on_error`, return the first batch and store nothing. Raise RequestError
    (INVALID_WAIT).
    """
    check_wait(context, wait_ms)
    found = await detect_file_format(file, file_format)
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


async def detect_file_format(file: UploadedFile, file_format: FileFormat | None) -> FileFormat | Rejection:
    """Return the format of the content, or a rejection that names the file (UNKNOWN_FORMAT)."""
    name = base_name(file.filename)
    found = await asyncio.to_thread(detect_format, file.file, file_format or find_format(name))
    return replace(found, value=name or None) if isinstance(found, Rejection) else found


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
