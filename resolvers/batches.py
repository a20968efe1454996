"""Price batches: accept an upload durably, have it applied, look it up."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from db import batches
from db.model import BatchPage, BatchStatus, OnError, PriceBatch, Rejection, Severity
from resolvers.context import RequestContext
from resolvers.errors import RequestError

MAX_KEY_LENGTH = 200
MAX_USER_ERRORS = 1_000
"""How many problems of items an answer lists; the batch's counts are exact all the same."""
FORMAT = "ndjson"


@dataclass(frozen=True, slots=True)
class Upload:
    """What became of an upload: the batch, unless it was refused as a whole, and every problem as data."""

    batch: PriceBatch | None
    replayed: bool = False
    user_errors: list[Rejection] = field(default_factory=list)
    warnings: list[Rejection] = field(default_factory=list)


async def upload_prices(
    context: RequestContext,
    items: Sequence[Mapping[str, str | None]],
    *,
    on_error: OnError,
    idempotency_key: str | None,
) -> Upload:
    """Store the items with their batch in one transaction, then have the batch applied.

    The same key with the same items returns the first batch and stores nothing.
    """
    problem = _refuse(items, idempotency_key, context.limits.max_items)
    if problem is not None:
        return Upload(None, user_errors=[problem])
    try:
        data, digest = await asyncio.to_thread(_pack, items, on_error)
    except orjson.JSONEncodeError:
        message = "a text holds half of a surrogate pair"
        return Upload(None, user_errors=[Rejection(None, "prices", "INVALID_TEXT", message, None)])
    async with context.pool.connection() as connection, connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=on_error, source="uploadPrices", idempotency_key=idempotency_key, payload_sha256=digest
        )
        if batch_id is not None:
            await batches.insert_payload(connection, batch_id=batch_id, format=FORMAT, data=data)
    if batch_id is None:
        return await _replay(context, idempotency_key or "", digest)
    await context.apply_batch(batch_id)
    return await _report(context, batch_id, replayed=False)


def _refuse(items: Sequence[object], key: str | None, max_items: int) -> Rejection | None:
    """Return why the upload cannot be accepted at all."""
    if not items:
        return Rejection(None, "prices", "EMPTY_BATCH", "there is no item in it", None)
    if len(items) > max_items:
        message = f"{len(items)} items; at most {max_items} are taken at once: split the upload"
        return Rejection(None, "prices", "TOO_MANY_ITEMS", message, None)
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        message = f"an idempotency key has 1 to {MAX_KEY_LENGTH} printable characters"
        return Rejection(None, "idempotencyKey", "INVALID_IDEMPOTENCY_KEY", message, None)
    return None


def _pack(items: Sequence[Mapping[str, str | None]], on_error: OnError) -> tuple[bytes, bytes]:
    """Return the items as NDJSON, and the digest by which a replay is told from another upload."""
    data = b"\n".join(orjson.dumps(item) for item in items)
    return data, hashlib.sha256(on_error.encode() + b"\n" + data).digest()


async def _replay(context: RequestContext, key: str, digest: bytes) -> Upload:
    async with context.pool.connection() as connection:
        first = await batches.find_batch_by_key(connection, key)
    if first is None or first.payload_sha256 != digest:
        message = "the key was used before for other items: choose a new one for a new upload"
        return Upload(None, user_errors=[Rejection(None, "idempotencyKey", "IDEMPOTENCY_KEY_REUSED", message, key)])
    # The first attempt may have died between accepting and applying.
    await context.apply_batch(first.id)
    return await _report(context, first.id, replayed=True)


async def _report(context: RequestContext, batch_id: int, *, replayed: bool) -> Upload:
    batch = await find_batch(context, batch_id)
    async with context.pool.connection() as connection:
        found = await batches.list_rejections(connection, batch_id, limit=MAX_USER_ERRORS)
    return Upload(
        batch,
        replayed,
        user_errors=[rejection for rejection in found if rejection.severity is Severity.ERROR],
        warnings=[rejection for rejection in found if rejection.severity is Severity.WARNING],
    )


async def find_batch(context: RequestContext, batch_id: int) -> PriceBatch | None:
    """Return the batch, or None."""
    async with context.pool.connection() as connection:
        found = await batches.get_batches(connection, [batch_id])
    return found[0] if found else None


async def list_batches(
    context: RequestContext, *, status: BatchStatus | None, first: int, before_id: int | None
) -> BatchPage:
    """Return a page of batches, newest first."""
    async with context.pool.connection() as connection:
        found = await batches.list_batches(connection, status=status, before_id=before_id, limit=first + 1)
        total = await batches.count_batches(connection, status=status)
    return BatchPage(found[:first], has_next_page=len(found) > first, total_count=total)


def parse_batch_id(text: str) -> int | None:
    """Return the id that the text stands for, or None when no batch can have it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def check_page_size(first: int, max_page_size: int) -> int:
    """Return `first`, or raise RequestError (INVALID_PAGE_SIZE)."""
    if not 1 <= first <= max_page_size:
        raise RequestError(
            "INVALID_PAGE_SIZE", f"first is {first}; a page has 1 to {max_page_size} entries.", argument="first"
        )
    return first
