"""`ratesgraph archive`: moves old prices to files, or deletes such files."""

from datetime import date
from pathlib import Path

from rich.table import Column, Table

from db.connection import Connection
from domain.archive import ArchivedFile
from ingest import retention
from ingest.archive.write import ArchivedMonth, archive_prices
from server.cli.console import (
    counted,
    open_database,
    print_line,
    print_table,
    progress_bar,
    read_settings,
    run_with_connection,
)


def archive(*, before: date, to: str, dry_run: bool, data_dir: Path | None) -> None:
    """Archive the prices whose last day is before a month, and print each month."""
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url, progress_bar() as progress:
        task = progress.add_task("Counting prices", total=1.0)

        async def work(connection: Connection) -> list[ArchivedMonth]:
            return [
                month
                async for month in archive_prices(
                    connection,
                    before,
                    to,
                    dry_run=dry_run,
                    report=lambda month, part: progress.update(
                        task, completed=part, description=f"Archiving {month:%Y-%m}"
                    ),
                )
            ]

        months = run_with_connection(work, url)
    _print_months([(each.month, each.row_count, each.byte_count, each.file_count) for each in months])
    rows, size = sum(each.row_count for each in months), sum(each.byte_count for each in months)
    what = f"{counted(rows, 'price')} of {counted(len(months), 'month')}"
    if not months:
        print_line(f"There are no prices before {before:%Y-%m} in the database.")
    elif dry_run:
        print_line(f"{what} would move to {to} ({size:,} bytes). Nothing was changed.")
    else:
        print_line(f"{what} moved to {to} ({size:,} bytes).")


def delete_archived(*, before: date, dry_run: bool, data_dir: Path | None) -> None:
    """Delete the archived files of the months before a month, and print each month."""
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url, progress_bar() as progress:
        task = progress.add_task("Reading the list of files", total=None)

        async def work(connection: Connection) -> list[ArchivedFile]:
            if dry_run:
                return await retention.list_expired(connection, before)
            files = []
            async for file in retention.delete_expired(connection, before):
                progress.update(task, description=f"Deleted {file.name}")
                files.append(file)
            return files

        files = run_with_connection(work, url)
    if not files:
        print_line(f"There are no archived months before {before:%Y-%m}.")
        return
    by_month: dict[date, list[ArchivedFile]] = {}
    for file in files:
        by_month.setdefault(file.month, []).append(file)
    _print_months(
        [
            (month, sum(file.row_count for file in of_month), sum(file.byte_count for file in of_month), len(of_month))
            for month, of_month in sorted(by_month.items())
        ]
    )
    rows = sum(file.row_count for file in files)
    result = "would be deleted. Nothing was changed." if dry_run else "deleted, from the averages too."
    print_line(f"{counted(rows, 'archived price')} of {counted(len(by_month), 'month')} {result}")


def _print_months(months: list[tuple[date, int, int, int]]) -> None:
    if not months:
        return
    table = Table("month", *(Column(name, justify="right") for name in ("prices", "bytes", "files")))
    for month, rows, size, files in months:
        table.add_row(f"{month:%Y-%m}", f"{rows:,}", f"{size:,}", str(files))
    print_table(table)
