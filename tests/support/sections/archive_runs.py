"""One run of each SQL section about archived files, on the world of `world.fill`."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import date

from db.connection import Connection
from db.repositories import prices
from domain.archive import ArchivedFile
from domain.locations import Lane
from tests.support.sections.world import APPLIED, CNAAA, CNBBB, DAYS, MONTH, USNYC

ORIGINS = (CNAAA, CNBBB)
FILE = ArchivedFile(
    MONTH, "file:///archive/month=2024-01/1-1-0.parquet", 1, b"", 1, DAYS.first, DAYS.last, APPLIED, APPLIED, *ORIGINS
)


async def _copy_out_month(connection: Connection) -> bytes:
    async with aclosing(prices.copy_out_month(connection, MONTH)) as chunks:
        return b"".join([chunk async for chunk in chunks])


ARCHIVE_RUNS: Mapping[str, Callable[[Connection], Awaitable[object]]] = {
    "prices.add_archived_days": prices.add_archived_days,
    "prices.add_archived_lanes": lambda c: prices.add_archived_lanes(c, [(Lane(CNAAA, USNYC), 3)]),
    "prices.analyze_archived_days": prices.analyze_archived_days,
    "prices.copy_archived_days": lambda c: prices.copy_archived_days(c, [b"4,6,2024-01-02,100,1\n"]),
    "prices.copy_out_month": _copy_out_month,
    "prices.count_old_prices": lambda c: prices.count_old_prices(c, date(2024, 2, 1)),
    "prices.create_archived_days": prices.create_archived_days,
    "prices.delete_archived_file": lambda c: prices.delete_archived_file(c, 1),
    "prices.delete_month_prices": lambda c: prices.delete_month_prices(c, MONTH),
    "prices.insert_archived_file": lambda c: prices.insert_archived_file(c, FILE),
    "prices.insert_tombstone": lambda c: prices.insert_tombstone(c, APPLIED),
    "prices.list_archived_files": lambda c: prices.list_archived_files(c, DAYS, batch_id=APPLIED),
    "prices.list_archived_lanes": lambda c: prices.list_archived_lanes(c, ORIGINS),
    "prices.lock_archive_exclusive": prices.lock_archive_exclusive,
    "prices.lock_archive_session": prices.lock_archive_session,
    "prices.lock_archive_shared": prices.lock_archive_shared,
    "prices.merge_day_sums": prices.merge_day_sums,
    "prices.set_snapshot_isolation": prices.set_snapshot_isolation,
    "prices.disable_idle_timeout": prices.disable_idle_timeout,
    "prices.try_lock_archiving": prices.try_lock_archiving,
    "prices.unlock_archive_session": prices.unlock_archive_session,
}
_DAYS = ("prices.create_archived_days", "prices.copy_archived_days", "prices.analyze_archived_days")
ARCHIVE_RUN_BEFORE: Mapping[str, tuple[str, ...]] = {
    "prices.add_archived_days": _DAYS,
    "prices.analyze_archived_days": _DAYS[:-1],
    "prices.copy_archived_days": _DAYS[:1],
    "prices.merge_day_sums": (*_DAYS, "prices.add_archived_days"),
}
"""Sections that fill the temporary tables of a section, after those of `section_runs.DAY_SUMS`."""
