"""Price batches: store an upload durably, wait for its end, find and revert it."""

import asyncio
import contextlib
import hashlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from db.connection import Connection
from db.notifications import BATCHES
from db.repositories import batches
from domain.batches import BatchStatus, FileFormat, OnError, PriceBatch, Rejection, Severity
from domain.pages import Page, PageRequest
from resolvers.context import RequestContext, current_result_slot
from resolvers.errors import TEMPORARY_ERRORS, UNKNOWN_BATCH_MESSAGE, RequestError
from resolvers.uploads.batch_storage import require_room, store_batch
from resolvers.uploads.items import PriceItem, encode_items, validate_size

MAX_KEY_LENGTH = 200
MAX_USER_ERRORS = 1_000
"""Maximum number of item problems in a response. The counts of the batch include all of them."""
POLL_SECONDS = 1.0
INVALID_TEXT = Rejection(None, "prices", "INVALID_TEXT", "text contains an unpaired surrogate", None)


@dataclass(frozen=True, slots=True)
class UploadResult:
    """Result of an upload: its problems, and the batch unless the upload was refused as a whole."""

    batch: PriceBatch | None
    replayed: bool = False
    user_errors: list[Rejection] = field(default_factory=list)
    warnings: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RevertResult:
    """Result of a revert: the batch, and the errors that prevented the revert."""

    batch: PriceBatch | None
    user_errors: list[Rejection]


async def upload_prices(
    context: RequestContext,
    items: Sequence[PriceItem],
    *,
    on_error: OnError,
    idempotency_key: str | None,
    wait_ms: int,
) -> UploadResult:
    """Store the items with their batch in one transaction, then wait for its end.

    The wait ends after `wait_ms`. If the idempotency key was used with the same items, return the first batch and store
    nothing. Raise RequestError (INVALID_WAIT).
    """
    check_wait(context, wait_ms)
    problem = (
        validate_items(items, context.app.limits.max_items)
        or validate_idempotency_key(idempotency_key)
        or await asyncio.to_thread(validate_size, items, context.app.limits.batch)
    )
    if problem is not None:
        return UploadResult(None, user_errors=[problem])
    try:
        data, digest = await asyncio.to_thread(_encode_and_digest, items, on_error)
    except UnicodeEncodeError:
        return UploadResult(None, user_errors=[INVALID_TEXT])
    batch_id = await store_batch(
        context,
        partial(_single_chunk, data),
        FileFormat.NDJSON,
        on_error=on_error,
        source="uploadPrices",
        idempotency_key=idempotency_key,
        digest=digest,
    )
    return await build_upload_result(context, batch_id, idempotency_key=idempotency_key, digest=digest, wait_ms=wait_ms)


def check_wait(context: RequestContext, wait_ms: int) -> None:
    """Raise RequestError (INVALID_WAIT) if `wait_ms` is out of range."""
    if not 0 <= wait_ms <= context.app.limits.max_wait_ms:
        raise RequestError(
            "INVALID_WAIT",
            f"waitMs must be between 0 and {context.app.limits.max_wait_ms} (got {wait_ms}).",
            argument="input",
            field="waitMs",
        )


def validate_items(items: Sequence[object], max_items: int) -> Rejection | None:
    """Return the rejection of an empty or too large upload, or None."""
    if not items:
        return Rejection(None, "prices", "EMPTY_BATCH", "the upload contains no items", None)
    if len(items) > max_items:
        message = f"too many items: {len(items):,}, limit {max_items:,}; split the upload"
        return Rejection(None, "prices", "TOO_MANY_ITEMS", message, None)
    return None


def validate_idempotency_key(key: str | None) -> Rejection | None:
    """Return the rejection of a malformed idempotency key, or None."""
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        message = f"an idempotency key must have 1 to {MAX_KEY_LENGTH} printable characters"
        return Rejection(None, "idempotencyKey", "INVALID_IDEMPOTENCY_KEY", message, None)
    return None


def _encode_and_digest(items: Sequence[PriceItem], on_error: OnError) -> tuple[bytes, bytes]:
    """Return the items as NDJSON, and the digest that identifies a replay of the same upload."""
    data = encode_items(items)
    return data, hashlib.sha256(on_error.encode() + b"\n" + data).digest()


async def _single_chunk(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def build_upload_result(
    context: RequestContext, batch_id: int | None, *, idempotency_key: str | None, digest: bytes, wait_ms: int
) -> UploadResult:
    """Wait up to `wait_ms` for the end of the batch, and return its result.

    `batch_id` None stands for the first batch with the idempotency key.
    """
    if batch_id is not None:
        return await _build_for_batch(context, batch_id, replayed=False, wait_ms=wait_ms)
    first = None if idempotency_key is None else await find_batch_by_key(context, idempotency_key)
    if first is None or first.payload_sha256 != digest:
        message = "idempotency key already used with different content; choose a new key"
        problem = Rejection(None, "idempotencyKey", "IDEMPOTENCY_KEY_REUSED", message, idempotency_key)
        return UploadResult(None, user_errors=[problem])
    return await _build_for_batch(context, first.id, replayed=True, wait_ms=wait_ms)


async def _build_for_batch(context: RequestContext, batch_id: int, *, replayed: bool, wait_ms: int) -> UploadResult:
    batch = await _wait_for_end(context, batch_id, wait_ms / 1_000)
    if batch is not None and batch.status is BatchStatus.APPLIED:
        context.app.version.expect_change(f"{batch_id} {BatchStatus.APPLIED}")
    rejections = await context.app.pool.read(
        lambda connection: batches.list_rejections(connection, batch_id, limit=MAX_USER_ERRORS)
    )
    return UploadResult(
        batch,
        replayed,
        user_errors=[rejection for rejection in rejections if rejection.severity is Severity.ERROR],
        warnings=[rejection for rejection in rejections if rejection.severity is Severity.WARNING],
    )


async def _wait_for_end(context: RequestContext, batch_id: int, seconds: float) -> PriceBatch | None:
    """Return the batch once it has ended, or its state when the time is up.

    Meanwhile the operation leaves its result slot to others of the connection.
    """
    batch, slot = None, current_result_slot.get()
    async with (
        slot.released() if slot is not None and seconds > 0 else contextlib.nullcontext(),
        aclosing(follow_batch(context, batch_id, seconds)) as states,
    ):
        async for state in states:
            batch = state
    return batch


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time (`time.monotonic`); infinity never passes."""

    at: float

    def remaining(self) -> float:
        """Return the seconds until then; zero or less once it has passed."""
        return self.at - time.monotonic()


async def follow_batch(
    context: RequestContext, batch_id: int, seconds: float = math.inf
) -> AsyncGenerator[PriceBatch, None]:
    """Yield the batch, then each changed state of it, until it has ended or the time is up.

    Yield nothing for an unknown batch. No connection is held between two polls. During a database outage the batch counts as
    unchanged.
    """
    deadline = Deadline(time.monotonic() + seconds)
    last_state: PriceBatch | None = None
    with context.app.notifications.subscribe(BATCHES, str(batch_id)) as changed:
        while True:
            changed.clear()
            state = await _poll_batch(context, batch_id, last_state, deadline)
            if state is None:
                return
            if state != last_state:
                last_state = state
                yield state
            if state.status.has_ended or deadline.remaining() <= 0:
                return
            # A notification may be lost, hence the polling.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(deadline.remaining(), POLL_SECONDS))


async def _poll_batch(
    context: RequestContext, batch_id: int, last_state: PriceBatch | None, deadline: Deadline
) -> PriceBatch | None:
    """Return the batch, or None if it is unknown. Return its last state during an outage.

    Before the first answer there is no state to return: then the errors of the database are raised.
    """
    if last_state is None:
        return await find_batch(context, batch_id)
    patience = max(deadline.remaining(), POLL_SECONDS)
    try:
        async with asyncio.timeout(None if patience == math.inf else patience):
            return await find_batch(context, batch_id)
    except TimeoutError:
        return last_state
    except TEMPORARY_ERRORS:
        return last_state


async def revert_batch(context: RequestContext, batch_id: int | None) -> RevertResult:
    """Revert an applied batch, exactly and once. A batch that the caller may not see is unknown.

    Raise RequestError (NO_ROOM): a revert stores the negative of the batch's totals.
    """
    visible = None if batch_id is None else await find_batch(context, batch_id)
    if visible is not None and visible.status is BatchStatus.APPLIED:
        require_room(context)
    status = None if visible is None else await context.app.revert_batch(visible.id, context.caller.label)
    if status is None or batch_id is None:
        problem = Rejection(None, "id", "UNKNOWN_BATCH", UNKNOWN_BATCH_MESSAGE, None)
        return RevertResult(None, [problem])
    batch = await find_batch(context, batch_id)
    if status is BatchStatus.APPLIED:
        context.app.version.expect_change(f"{batch_id} {BatchStatus.REVERTED}")
        return RevertResult(batch, [])
    message = f"batch status is {status.value}; only applied batches can be reverted, once"
    return RevertResult(batch, [Rejection(None, "id", "BATCH_NOT_APPLIED", message, None)])


async def list_rejections(context: RequestContext, batch_id: int, request: PageRequest) -> Page[Rejection]:
    """Return a page of the rejections of the batch, by item."""

    async def select(connection: Connection) -> Page[Rejection]:
        total = await batches.count_rejections(connection, batch_id)
        start, end = request.window(total)
        found = await batches.list_rejections(connection, batch_id, after=start, limit=end - start)
        return Page(found, has_previous_page=start > 0, has_next_page=end < total, total_count=total)

    return await context.app.pool.read(select)


async def rejections_url(context: RequestContext, batch_id: int) -> str | None:
    """Return the path of the batch's rejection report, or None if it has no rejections."""
    has_rejections = await context.loaders.has_rejections.load(batch_id)
    return f"/batches/{batch_id}/rejections.csv" if has_rejections else None


async def find_batch(context: RequestContext, batch_id: int) -> PriceBatch | None:
    """Return the batch, or None if it does not exist or the caller may not see it."""
    found = await context.app.pool.read(lambda connection: batches.get_batches(connection, [batch_id]))
    return found[0] if found and context.caller.can_see(found[0].uploader) else None


async def find_batch_by_key(context: RequestContext, idempotency_key: str) -> PriceBatch | None:
    """Return the caller's batch with the idempotency key, or None, also for a malformed key."""
    if validate_idempotency_key(idempotency_key) is not None:
        return None
    return await context.app.pool.read(
        lambda connection: batches.find_batch_by_key(connection, idempotency_key, context.caller.name)
    )


async def list_batches(
    context: RequestContext, request: PageRequest, *, status: BatchStatus | None
) -> Page[PriceBatch]:
    """Return a page of the batches that the caller may see, newest first."""
    uploader = None if context.caller.is_admin else context.caller.name

    async def select(connection: Connection) -> tuple[list[PriceBatch], int]:
        read = batches.list_batches_backward if request.is_backward else batches.list_batches
        found = await read(connection, request, status=status, uploader=uploader)
        return found, await batches.count_batches(connection, status=status, uploader=uploader)

    found, total = await context.app.pool.read(select)
    return Page.of_rows(request, found, total)
