"""`ratesgraph archive`: moves old prices to files, or deletes such files."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

from db.connection import Connection
from domain.archive import ArchivedFile
from ingest import retention
from ingest.archive.write import ArchivedMonth, archive_prices
from server.cli.console import (
    counted,
    open_database,
    print_line,
    print_result,
    progress_bar,
    read_settings,
    run_with_connection,
)


def archive(*, before: date, to: str, dry_run: bool, data_dir: Path | None) -> None:
    """Archive the prices whose last day is before a month; print each month when it has moved."""
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url, progress_bar() as progress:
        task = progress.add_task("Counting prices", total=1.0)

        async def work(connection: Connection) -> list[ArchivedMonth]:
            months = []
            async for each in archive_prices(
                connection,
                before,
                to,
                dry_run=dry_run,
                report=lambda month, part: progress.update(
                    task, completed=part, description=f"Archiving {month:%Y-%m}"
                ),
            ):
                _print_month(each)
                months.append(each)
            return months

        months = run_with_connection(work, url)
    rows, size = sum(each.row_count for each in months), sum(each.byte_count for each in months)
    what = f"{counted(rows, 'price')} of {counted(len(months), 'month')}"
    if not months:
        print_line(f"There are no prices before {before:%Y-%m} in the database.")
    elif dry_run:
        print_line(f"{what} would move to {to} ({size:,} bytes). Nothing was changed.")
    else:
        print_line(f"{what} moved to {to} ({size:,} bytes).")


def delete_archived(*, before: date, dry_run: bool, data_dir: Path | None) -> None:
    """Delete the archived files of the months before a month; print each month that is gone."""
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url, progress_bar() as progress:
        task = progress.add_task("Reading the list of files", total=None)

        async def delete(connection: Connection) -> AsyncIterator[ArchivedFile]:
            if dry_run:
                for file in await retention.list_expired(connection, before):
                    yield file
                return
            async for file in retention.delete_expired(connection, before):
                progress.update(task, description=f"Deleted {file.name}")
                yield file

        async def work(connection: Connection) -> list[ArchivedMonth]:
            months = []
            async for month in _sum_by_month(delete(connection)):
                _print_month(month)
                months.append(month)
            return months

        months = run_with_connection(work, url)
    if not months:
        print_line(f"There are no archived months before {before:%Y-%m}.")
        return
    rows = sum(month.row_count for month in months)
    result = "would be deleted. Nothing was changed." if dry_run else "deleted, from the averages too."
    print_line(f"{counted(rows, 'archived price')} of {counted(len(months), 'month')} {result}")


async def _sum_by_month(files: AsyncIterator[ArchivedFile]) -> AsyncIterator[ArchivedMonth]:
    """Yield the sums of files that are ordered by month.

    If the files end with an error or Ctrl-C, it is raised after the last month, of which only some files may be gone.
    """
    month: ArchivedMonth | None = None
    try:
        async for file in files:
            if month is not None and month.month == file.month:
                rows, size = month.row_count + file.row_count, month.byte_count + file.byte_count
                month = ArchivedMonth(file.month, rows, size, month.file_count + 1)
                continue
            complete, month = month, ArchivedMonth(file.month, file.row_count, file.byte_count, 1)
            if complete is not None:
                yield complete
    except (Exception, asyncio.CancelledError):
        if month is not None:
            yield month
        raise
    if month is not None:
        yield month


def _print_month(month: ArchivedMonth) -> None:
    amounts = (counted(month.row_count, "price"), counted(month.byte_count, "byte"), counted(month.file_count, "file"))
    print_result(f"{month.month:%Y-%m}: {', '.join(amounts)}")
