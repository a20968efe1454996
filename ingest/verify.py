"""Verification: compares totals with observations, and repairs them.

Fingerprints of both sides are compared first, on one snapshot (`ingest.verification`). So uploads continue, and a batch in
progress is not visible. Only a month whose fingerprints differ is compared by recursive SQL, pair by pair.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from db.administration import moves, verifications
from db.administration.citus import find_citus, list_distributed_tables
from db.administration.verifications import StorageState
from db.connection import Connection
from db.repositories import locations, prices, sketches, totals, versions
from db.repositories.sketches import ALL_MONTHS
from db.repositories.totals import Difference
from domain.archive import ArchivedFile
from domain.intervals import days_of_month, first_of_month, month_number
from ingest.archive.reader import list_months, sum_days
from ingest.errors import ArchiveError
from ingest.sketches.rebuild import rebuild_month
from ingest.verification.changes import TOTALS, Inputs, Scope, find_scope
from ingest.verification.comparison import Comparison
from ingest.verification.record import store_verification
from ingest.verification.sketch_differences import SketchDifference, list_sketch_differences
from ingest.verification.snapshot import Snapshot, open_snapshot

AnyDifference = Difference | SketchDifference

MAX_DIFFERENCES = 1_000
"""Maximum number of listed differences of a month."""
MAX_SNAPSHOTS = 5
"""Maximum number of snapshots, if archived files are deleted while they are read."""

FIRST_MONTH, LAST_MONTH = (int(np.datetime64(month, "M").astype(np.int64)) for month in ("0001-01", "9999-12"))


class _Result(NamedTuple):
    """Months that were checked, those whose fingerprints differ, and their differences."""

    state: StorageState
    inputs: Inputs
    scope: Scope
    checked: list[date]
    wrong_totals: list[date]
    wrong_sketches: list[date]
    differences: dict[date, list[AnyDifference]]

    def list_failed(self) -> set[date]:
        """Return the months that the next verification must check.

        They have differences, or sketches that are yet to be built.
        """
        stale = {month for month in self.checked if self.inputs.is_stale(month_number(month))}
        return stale | {month for month, differences in self.differences.items() if differences}


async def verify(
    connection: Connection,
    *,
    full: bool = False,
    repair: bool = False,
    second_connection: Connection | None = None,
    report: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> AsyncIterator[tuple[date, list[AnyDifference]]]:
    """Yield every month that was checked with its differences, largest first.

    Months without a change since the last verification are not checked again, unless `full`. Uploads continue. With `repair`, a
    month that differs is compared again and rebuilt, and uploads wait meanwhile. A second connection nearly halves the time.
    `report` receives the current stage and its fraction (0 to 1). Raise ArchiveError if an archived file cannot be read.
    """
    if await find_citus(connection) and TOTALS in await list_distributed_tables(connection):
        # A cluster has no snapshot over its nodes, nor one order of transactions.
        for month in await _list_months(connection):
            yield month, await _check_locked(connection, month, check_totals=True, check_sketches=True, repair=repair)
            report(f"Verified {month:%Y-%m}", 1.0)
        return
    result = await _compare(connection, second_connection, full=full, list_differences=not repair, report=report)
    if repair:
        for month in sorted({*result.wrong_totals, *result.wrong_sketches}):
            report(f"Repairing {month:%Y-%m}", 0.0)
            result.differences[month] = await _check_locked(
                connection,
                month,
                check_totals=month in result.wrong_totals,
                check_sketches=month in result.wrong_sketches,
                repair=True,
            )
    await store_verification(connection, result.state, result.inputs, result.scope, failed=result.list_failed())
    for month in result.checked:
        yield month, result.differences.get(month, [])


async def _compare(
    connection: Connection,
    second_connection: Connection | None,
    *,
    full: bool,
    list_differences: bool,
    report: Callable[[str, float], None],
) -> _Result:
    """Compare the fingerprints on one snapshot, and list the differences if `list_differences`."""
    attempt = 0
    while True:
        attempt += 1
        files: list[ArchivedFile] = []
        try:
            async with open_snapshot(connection, second_connection) as snapshot:
                files = await prices.list_archived_files(connection)
                stale = await sketches.list_stale_months(connection)
                inputs = Inputs(await locations.list_locations(connection), files, stale)
                return await _compare_snapshot(
                    snapshot, inputs, full=full, list_differences=list_differences, report=report
                )
        except ArchiveError:
            # A command may have deleted a file that the snapshot lists.
            if attempt == MAX_SNAPSHOTS or await prices.list_archived_files(connection) == files:
                raise


async def _compare_snapshot(
    snapshot: Snapshot, inputs: Inputs, *, full: bool, list_differences: bool, report: Callable[[str, float], None]
) -> _Result:
    connection = snapshot.connection
    last = None if full else await verifications.find_verification(connection)
    scope = await find_scope(snapshot, inputs, last, lambda part: report("Comparing checksums", part))
    comparison = Comparison(snapshot, inputs, scope)
    outcome = await comparison.run(lambda part: report("Verifying", part))
    checked, wrong_totals, wrong_sketches = (_to_dates(months) for months in outcome)
    differences: dict[date, list[AnyDifference]] = {}
    suspect = sorted({*wrong_totals, *wrong_sketches}) if list_differences else []
    for number, month in enumerate(suspect):
        report(f"Comparing {month:%Y-%m}", number / len(suspect))
        differences[month] = []
        if month in wrong_totals:
            # Rolling back to the savepoint drops the temporary tables.
            async with connection.transaction(force_rollback=True):
                differences[month] += await _list_differences(connection, month)
        if month in wrong_sketches:
            differences[month] += await list_sketch_differences(connection, month, limit=MAX_DIFFERENCES)
    return _Result(snapshot.state, inputs, scope, checked, wrong_totals, wrong_sketches, differences)


def _to_dates(months: Iterable[int]) -> list[date]:
    """Return months, counted from January 1970, as dates.

    Months that no date can represent are left out: only damaged rows name them.
    """
    numbers = sorted(month for month in months if FIRST_MONTH <= month <= LAST_MONTH)
    return [first_of_month(month) for month in numbers]


async def _check_locked(
    connection: Connection, month: date, *, check_totals: bool, check_sketches: bool, repair: bool
) -> list[AnyDifference]:
    """Return the differences of a month; with `repair`, rebuild its totals or sketches.

    Batches wait meanwhile.
    """
    found: list[AnyDifference] = []
    async with connection.transaction():
        await locations.lock_tree_exclusive(connection)
        await prices.lock_archive_shared(connection)
        if check_totals:
            found += await _list_differences(connection, month)
            if found and repair:
                await totals.delete_month(connection, month)
                await totals.pack_day_sums(connection)
        if check_sketches and not _is_stale(await sketches.list_stale_months(connection), month):
            wrong = await list_sketch_differences(connection, month, limit=MAX_DIFFERENCES)
            found += wrong
            if wrong and repair:
                await rebuild_month(connection, month)
        if found and repair:
            # A change of the tree in steps may have read the month before the repair. It must start again.
            await moves.clear_tree_change(connection)
            await versions.announce_change(connection, f"repair {month}")
    return found


def _is_stale(stale: Sequence[date], month: date) -> bool:
    return month in stale or ALL_MONTHS in stale


async def _list_months(connection: Connection) -> list[date]:
    archived = list_months(await prices.list_archived_files(connection))
    return sorted({*await totals.list_months(connection), *archived})


async def _list_differences(connection: Connection, month: date) -> list[Difference]:
    """Return the differences of a month, largest first.

    The sums of its observations stay in `day_sums`.
    """
    await totals.create_day_sums(connection)
    await totals.create_ancestors(connection)
    await totals.collect_observed_month(connection, month)
    await _collect_archived_month(connection, month)
    return await totals.diff_month(connection, month, limit=MAX_DIFFERENCES)


async def _collect_archived_month(connection: Connection, month: date) -> None:
    """Add the sums of a month's archived observations to those that were collected."""
    days = days_of_month(month)
    files = await prices.list_archived_files(connection, days)
    if not files:
        return
    await prices.create_archived_days(connection)
    for file in files:
        parts = sum_days(file, days)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            await prices.copy_archived_days(connection, [part])
    await prices.analyze_archived_days(connection)
    await prices.add_archived_days(connection)
    await prices.merge_day_sums(connection)
