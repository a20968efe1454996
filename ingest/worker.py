"""The worker: takes batches from the queue, one after the other, until it is told to stop.

Claiming, applying and ending a batch are one transaction: a worker that dies gives the batch back with its connection, and
nothing needs recovering. The attempt is counted before, in a transaction of its own, so that a batch that kills its
worker ends as FAILED instead of going round for ever.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from polars.exceptions import PanicException

from db.background import background_task
from db.errors import DatabaseError, DatabaseUnavailable, ServerBusy
from db.notifications import QUEUE, Notifications, open_notifications
from db.pool import INGEST, Pool, open_pool
from db.repositories import batches, payloads
from domain.batches import BatchOutcome, BatchStatus
from ingest.batches.apply import Report, apply_slices, copy_rejections
from ingest.batches.validation import file_rejection
from ingest.compact import compact
from ingest.errors import FileRejected
from ingest.readers.payload import open_payload
from ingest.readers.price_file import read_slices

log = logging.getLogger("ratesgraph.worker")

MAX_ATTEMPTS = 5
POLL_SECONDS = 1.0
"""How long a waiting batch may go unnoticed when its notification was lost, or when its time to be tried again comes."""
MAINTENANCE_SECONDS = 30.0
PROGRESS_SECONDS = 0.5
"""How often a running batch tells how far it has come."""
PAYLOAD_DAYS = 7
STOP_SECONDS = 20.0
"""How long a batch in hand may still take after the worker was told to stop; then it is given back."""


async def run_worker(
    database_url: str, stop: asyncio.Event, *, concurrency: int = 1, payload_days: int = PAYLOAD_DAYS
) -> None:
    """Apply batches, `concurrency` at once, until `stop` is set; then finish or give back those in hand.

    Payloads are kept until their batches have ended for `payload_days`.
    """
    async with (
        open_pool(database_url, INGEST, max_size=2 * concurrency + 1) as pool,
        open_notifications(database_url, QUEUE) as notifications,
    ):
        takers = [asyncio.create_task(_consume_queue(pool, notifications, stop)) for _ in range(concurrency)]
        async with background_task(_run_maintenance(pool, stop, payload_days)):
            await stop.wait()
            _, late = await asyncio.wait(takers, timeout=STOP_SECONDS)
            for taker in late:
                taker.cancel()
            await asyncio.gather(*takers, return_exceptions=True)


async def _consume_queue(pool: Pool, notifications: Notifications, stop: asyncio.Event) -> None:
    with notifications.subscribe(QUEUE) as woken:
        while not stop.is_set():
            woken.clear()
            try:
                found = await process_next_batch(pool)
            except DatabaseUnavailable:
                log.warning("the database does not answer; trying again")
                found = False
            except ServerBusy:
                log.warning("no database connection is free; trying again")
                found = False
            except Exception:
                log.exception("taking a batch failed; trying again")
                found = False
            if not found:
                await wait_first(woken, stop, timeout=POLL_SECONDS)


async def wait_first(*events: asyncio.Event, timeout: float) -> None:  # noqa: ASYNC109
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def process_next_batch(pool: Pool) -> bool:
    """Try the next batch of the queue; return False when none may be tried now.

    What fails is noted with the batch, which is tried again later. A lost database is not the batch's fault.
    """
    async with pool.connection() as connection:
        await batches.fail_exhausted(connection, max_attempts=MAX_ATTEMPTS)
        batch_id = await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
    if batch_id is None:
        return False
    try:
        await apply_batch(pool, batch_id)
    except (DatabaseUnavailable, ServerBusy, asyncio.CancelledError):
        await asyncio.shield(_release_batch(pool, batch_id))
        raise
    # What goes wrong inside of polars is no Exception.
    except (Exception, PanicException):
        error_id = uuid.uuid4().hex[:12]
        told = {"error_id": error_id, "batch_id": batch_id}
        log.exception("error %s while applying batch %s", error_id, batch_id, extra=told)
        async with pool.connection() as connection:
            failure = f"an unexpected error, {error_id} in the log"
            await batches.record_failure(connection, batch_id, failure, max_attempts=MAX_ATTEMPTS)
    return True


async def _release_batch(pool: Pool, batch_id: int) -> None:
    # Where the database is gone this fails too, and the attempt stays counted: a loss of one of MAX_ATTEMPTS.
    with contextlib.suppress(DatabaseError):
        async with pool.connection() as connection:
            await batches.release_attempt(connection, batch_id)


async def apply_batch(pool: Pool, batch_id: int) -> None:
    """Claim, apply and end a queued batch in one transaction. Do nothing when it has ended or another process has it."""
    async with pool.connection() as connection, connection.transaction():
        on_error = await batches.claim_batch(connection, batch_id)
        if on_error is None:
            return
        async with (
            open_payload(connection, batch_id) as (file, file_format),
            _progress_reporter(pool, batch_id) as report,
        ):
            try:
                outcome = await apply_slices(
                    connection, batch_id, lambda: read_slices(file, file_format), on_error, report
                )
            except FileRejected as error:
                await copy_rejections(connection, batch_id, file_rejection(error.code, error.message))
                outcome = BatchOutcome(BatchStatus.REJECTED, 0, 0, 0)
        await batches.end_batch(connection, batch_id, outcome)


@asynccontextmanager
async def _progress_reporter(pool: Pool, batch_id: int) -> AsyncIterator[Report]:
    """Yield what is to be told of the progress, and note it now and then beside the transaction that applies the batch."""
    reached = 0.0

    def report(_stage: str, part: float) -> None:
        nonlocal reached
        # After the last item come the averages and the commit.
        reached = min(part, 0.99)

    async def note() -> None:
        noted = None
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if noted != reached:
                noted = reached
                with contextlib.suppress(DatabaseError):
                    async with pool.connection() as connection:
                        await batches.report_progress(connection, batch_id, noted)

    async with background_task(note()):
        yield report


async def _run_maintenance(pool: Pool, stop: asyncio.Event, payload_days: int) -> None:
    """Do now and then what no batch waits for: compaction, and letting go of old payloads."""
    while not stop.is_set():
        await wait_first(stop, timeout=MAINTENANCE_SECONDS)
        try:
            async with pool.connection() as connection:
                await compact(connection)
                await batches.clear_progress(connection)
                await payloads.delete_old_payloads(connection, days=payload_days)
        except DatabaseError:
            log.warning("housekeeping could not run; trying again later")
