"""Worker: processes the queue of batches until it receives the stop event.

Claiming, applying and ending a batch are one transaction. If a worker dies, its connection rolls back and the batch is queued
again, so no recovery is needed. The attempt is counted before, in a separate transaction, so that a batch that crashes its
workers ends as FAILED instead of being retried forever.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from polars.exceptions import PanicException

from db.background import background_task, wait_first
from db.connection import Connection
from db.embedded.disk_space import DiskSpace
from db.errors import (
    ConnectionLost,
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnusable,
    DiskFull,
    LockTimeout,
    MigrationNeeded,
    ServerBusy,
    describe_for_operator,
)
from db.notifications import QUEUE, Notifications, open_notifications
from db.pool import INGEST, Pool, open_pool
from db.repositories import batches
from db.repositories.batches import Attempt
from db.requirements import Work, check_database
from domain.batch_size import DEFAULT_LIMITS, BatchLimits
from domain.batches import BatchOutcome, BatchStatus
from ingest.batches.apply import ProgressCallback, apply_slices, copy_rejections
from ingest.batches.validation import file_rejection
from ingest.errors import FileRejected
from ingest.maintenance import run_maintenance
from ingest.readers.payload import open_payload
from ingest.readers.price_file import read_slices

log = logging.getLogger("ratesgraph.worker")

MAX_ATTEMPTS = 5
POLL_SECONDS = 1.0
"""Polling interval: covers lost notifications and batches whose time to retry has come."""
EMPTY_POLL_SECONDS = 0.2
"""Polling interval of a worker that ends when the queue is empty."""
DISK_FULL_SECONDS = 10.0
"""Pause after a batch has met a full disk: each attempt writes as much again before it fails."""
PROGRESS_SECONDS = 0.5
"""Interval at which a running batch reports its progress."""
PAYLOAD_DAYS = 7
STOP_SECONDS = 20.0
"""Grace period for running batches after the stop event.

Then they are released to the queue.
"""


async def run_worker(
    database_url: str,
    stop: asyncio.Event,
    *,
    concurrency: int = 1,
    until_empty: bool = False,
    payload_days: int = PAYLOAD_DAYS,
    disk_space: DiskSpace | None = None,
    limits: BatchLimits = DEFAULT_LIMITS,
) -> None:
    """Apply batches, `concurrency` at once, until `stop` is set.

    With `until_empty`, set `stop` as soon as no batch is queued or running. Batches of other workers count too, because one
    that fails returns to the queue. Then finish or release the running batches. Payloads are stored until `payload_days` after
    the end of their batch. No batch begins while `disk_space` has too little room, or before the schema is migrated. Raise
    DatabaseUnusable if the database does not meet another requirement, and with `until_empty` also without the schema.
    """
    is_refused = asyncio.Event()
    async with open_pool(database_url, INGEST, max_size=2 * concurrency + 1) as pool:
        if until_empty:
            await check_database(database_url, Work.CHANGE)
        else:
            await _wait_until_migrated(database_url, stop)
        async with (
            open_notifications(database_url, QUEUE) as notifications,
            background_task(run_maintenance(pool, stop, payload_days)),
        ):
            consumers = [
                asyncio.create_task(_consume_queue(pool, notifications, stop, is_refused, limits, disk_space))
                for _ in range(concurrency)
            ]
            if until_empty:
                await _wait_until_empty(pool, stop)
                stop.set()
            await stop.wait()
            _, unfinished = await asyncio.wait(consumers, timeout=STOP_SECONDS)
            for consumer in unfinished:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)


async def _wait_until_migrated(database_url: str, stop: asyncio.Event) -> None:
    """Check the database.

    While its schema is missing or outdated, report that once, and wait until `stop` is set.
    """
    reported = False
    while not stop.is_set():
        try:
            await check_database(database_url, Work.CHANGE)
            return
        except MigrationNeeded as error:
            if not reported:
                log.error("%s The worker waits until then.", error)
            reported = True
        except ConnectionLost as error:
            if not error.is_temporary:
                raise
            log.warning("database is unavailable (%s); retrying", _cause_name(error))
        await wait_first(stop, timeout=POLL_SECONDS)


async def _wait_until_empty(pool: Pool, stop: asyncio.Event) -> None:
    """Wait until no batch is queued or running, or until `stop` is set."""
    while not stop.is_set():
        # During an outage the consumers report it.
        with contextlib.suppress(DatabaseError):
            async with pool.connection() as connection:
                if not await batches.has_waiting_batches(connection):
                    return
        await wait_first(stop, timeout=EMPTY_POLL_SECONDS)


async def _consume_queue(
    pool: Pool,
    notifications: Notifications,
    stop: asyncio.Event,
    is_refused: asyncio.Event,
    limits: BatchLimits,
    disk_space: DiskSpace | None,
) -> None:
    """Process batches until `stop` is set.

    All consumers share `is_refused`, so that one of them reports that PostgreSQL refuses the work.
    """
    interrupted: set[Attempt] = set()
    with notifications.subscribe(QUEUE) as notified:
        while not stop.is_set():
            notified.clear()
            if disk_space is not None and disk_space.find_shortage() is not None:
                await wait_first(stop, timeout=POLL_SECONDS)
                continue
            try:
                has_processed = await process_next_batch(pool, limits, interrupted)
                is_refused.clear()
            except DatabaseUnusable as error:
                if not is_refused.is_set():
                    log.error("database refuses the work; the worker waits: %s", describe_for_operator(error))
                is_refused.set()
                has_processed = False
            except DiskFull:
                log.error("database disk is full; retrying in %g s", DISK_FULL_SECONDS)
                await wait_first(stop, timeout=DISK_FULL_SECONDS)
                continue
            except DatabaseUnavailable as error:
                log.warning("database is unavailable (%s); retrying", _cause_name(error))
                has_processed = False
            except ServerBusy:
                log.warning("no database connection available; retrying")
                has_processed = False
            except LockTimeout:
                log.warning("waited too long for a change of the region tree; retrying")
                has_processed = False
            except Exception:
                log.exception("processing the next batch failed; retrying")
                has_processed = False
            if not has_processed:
                await wait_first(notified, stop, timeout=POLL_SECONDS)


def _cause_name(error: DatabaseError) -> str:
    """Return the type of the cause. The text of the cause may contain host names."""
    return type(error.__cause__ or error).__name__


async def process_next_batch(
    pool: Pool, limits: BatchLimits = DEFAULT_LIMITS, interrupted: set[Attempt] | None = None
) -> bool:
    """Try to apply the next batch of the queue; return False if no batch is due.

    A failure is recorded with the batch, which is retried later. Losing the database, waiting too long for a lock, an outdated
    schema or a missing privilege does not count as an attempt. During an outage the attempt cannot be discounted at once:
    `interrupted` holds such attempts until the next call that reaches the database.
    """
    interrupted = set() if interrupted is None else interrupted
    async with pool.connection() as connection:
        await _release_attempts(connection, interrupted)
        await batches.fail_exhausted(connection, max_attempts=MAX_ATTEMPTS)
        attempt = await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
    if attempt is None:
        return False
    batch_id = attempt.batch_id
    try:
        if not await apply_batch(pool, batch_id, limits):
            # Another worker that looked for a batch at this moment has locked its row, and found that it was not due.
            interrupted.add(attempt)
            await _try_release_attempts(pool, interrupted)
    except (DatabaseUnavailable, DatabaseUnusable, ServerBusy, LockTimeout, asyncio.CancelledError):
        interrupted.add(attempt)
        await asyncio.shield(_try_release_attempts(pool, interrupted))
        raise
    # PanicException of polars is not an Exception.
    except (Exception, PanicException):
        error_id = uuid.uuid4().hex[:12]
        fields = {"error_id": error_id, "batch_id": batch_id}
        log.exception("error %s while applying batch %s", error_id, batch_id, extra=fields)
        async with pool.connection() as connection:
            failure = f"internal error (error ID {error_id})"
            await batches.record_failure(connection, batch_id, failure, max_attempts=MAX_ATTEMPTS)
    return True


async def _try_release_attempts(pool: Pool, interrupted: set[Attempt]) -> None:
    # If the worker ends before the database is available again, the attempt stays counted: one of MAX_ATTEMPTS is lost.
    with contextlib.suppress(DatabaseError):
        async with pool.connection() as connection:
            await _release_attempts(connection, interrupted)


async def _release_attempts(connection: Connection, interrupted: set[Attempt]) -> None:
    for attempt in list(interrupted):
        await batches.release_attempt(connection, attempt)
        interrupted.discard(attempt)


async def apply_batch(pool: Pool, batch_id: int, limits: BatchLimits = DEFAULT_LIMITS) -> bool:
    """Claim, apply and end a queued batch in one transaction.

    Return False, and do nothing, if the batch has ended or another process has locked it.
    """
    async with pool.connection() as connection, connection.transaction():
        on_error = await batches.claim_batch(connection, batch_id)
        if on_error is None:
            return False
        async with (
            open_payload(connection, batch_id) as (file, file_format),
            _progress_reporter(pool, batch_id) as report,
        ):
            try:
                outcome = await apply_slices(
                    connection, batch_id, lambda: read_slices(file, file_format), on_error, report, limits=limits
                )
            except FileRejected as error:
                await copy_rejections(connection, batch_id, file_rejection(error.code, error.message))
                outcome = BatchOutcome(BatchStatus.REJECTED, 0, 0, 0)
        await batches.end_batch(connection, batch_id, outcome)
    return True


@asynccontextmanager
async def _progress_reporter(pool: Pool, batch_id: int) -> AsyncIterator[ProgressCallback]:
    """Yield a progress callback, and store the progress outside the batch's transaction."""
    reached = 0.0

    def report(_stage: str, fraction: float) -> None:
        nonlocal reached
        # The averages and the commit follow the last item.
        reached = min(fraction, 0.99)

    async def store_progress() -> None:
        stored = None
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if stored != reached:
                stored = reached
                with contextlib.suppress(DatabaseError):
                    async with pool.connection() as connection:
                        await batches.report_progress(connection, batch_id, stored)

    async with background_task(store_progress()):
        yield report
