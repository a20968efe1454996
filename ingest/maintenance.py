"""Periodic maintenance of a worker: recovery, sketches, compaction, deletion of old data."""

import asyncio
import logging

from db.background import wait_first
from db.connection import Connection
from db.errors import DatabaseError, MigrationNeeded
from db.pool import Pool
from db.repositories import batches, payloads
from ingest.compact import compact
from ingest.distribution import recover_transactions
from ingest.errors import ArchiveError
from ingest.moves.steps import clear_abandoned_change
from ingest.sketches.rebuild import rebuild_stale

log = logging.getLogger("ratesgraph.worker")

MAINTENANCE_SECONDS = 30.0


async def run_maintenance(pool: Pool, stop: asyncio.Event, payload_days: int) -> None:
    """Recover, compact and delete expired payloads periodically, until `stop` is set."""
    while not stop.is_set():
        await wait_first(stop, timeout=MAINTENANCE_SECONDS)
        try:
            async with pool.connection() as connection:
                await recover_transactions(connection)
                await _rebuild_sketches(connection)
                await compact(connection, skip_locked=True)
                await clear_abandoned_change(connection)
                await batches.clear_progress(connection)
                await payloads.delete_old_payloads(connection, days=payload_days)
        except MigrationNeeded:
            # The tasks that consume the queue report it.
            continue
        except DatabaseError as error:
            log.warning("maintenance failed (%s); retrying later", type(error.__cause__ or error).__name__)
        except Exception:
            # The task must not end here: an unforeseen error would stop recovery and compaction until the worker restarts.
            log.exception("maintenance failed; retrying later")


async def _rebuild_sketches(connection: Connection) -> None:
    """Build the sketches of stale months.

    A month with an archived file that cannot be read stays stale, until a later run can read the file.
    """
    try:
        async for month in rebuild_stale(connection):
            log.info("built the sketches of %s", f"{month:%Y-%m}")
    except ArchiveError as error:
        log.warning(
            "cannot build sketches; statistics are computed from single prices, retrying later: %s", error.message
        )
