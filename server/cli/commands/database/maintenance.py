"""Maintenance: `migrate`, `verify`, `compact`, `distribute` and `queue`."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from rich.table import Column, Table

from db.administration import verifications
from db.administration.verifications import Verification
from db.connection import Connection
from db.errors import DatabaseError
from db.migrate import contract as contract_schema
from db.migrate import migrate as apply_migrations
from db.pool import INGEST, connect
from db.repositories import batches, locations, totals
from db.repositories.totals import Difference
from db.requirements import Work, check_database
from ingest import compact as compaction
from ingest import distribution
from ingest import verify as verification
from ingest.demo.load import load_demo
from ingest.exchange_rates.ecb import load_ecb_rates
from ingest.verification.sketch_differences import SketchDifference
from ingest.verify import AnyDifference
from server.cli.console import (
    counted,
    open_database,
    out,
    print_error,
    print_line,
    print_table,
    progress_bar,
    read_settings,
    require_room,
    run_with_connection,
)

SHOWN_DIFFERENCES = 20
DEMO_BYTES = 450_000_000
"""Free bytes on the disk of the embedded server that the demo data require. They occupy 400 MB."""
CONTRACTION_DUE = (
    "Once no server or worker of an older release runs, run `ratesgraph migrate --contract`. From then on, totals of later"
    " batches take less space and time, and older releases cannot read them."
)


def bring_up_to_date(database_url: str) -> bool:
    """Migrate the schema, load the bundled exchange rates, and return whether anything changed."""
    due = asyncio.run(check_database(database_url, Work.MIGRATE))
    applied = apply_migrations(database_url) if due else []
    if applied:
        out.print(f"Schema migrated: {counted(len(applied), 'migration')} applied.")
    loaded = run_with_connection(load_ecb_rates, database_url)
    if loaded:
        out.print(f"Loaded {loaded:,} exchange rates of the European Central Bank.")
    return bool(applied or loaded)


def prepare(*, demo: bool) -> None:
    """Bring the configured database up to date; with `demo`, fill an empty one with demo data.

    The first start checked the room for them, but it may have been interrupted long ago.
    """
    settings = read_settings()
    with open_database(settings, check=None) as url:
        bring_up_to_date(url)
        with suppress(DatabaseError):  # A hint must not keep a server from starting.
            if not run_with_connection(totals.can_store_changes, url):
                print_line(CONTRACTION_DUE)
        if demo and run_with_connection(_is_empty, url):
            require_room(settings, url, "The demo data were not loaded (--no-demo serves without them)", DEMO_BYTES)
            _load_demo(url)


async def _is_empty(connection: Connection) -> bool:
    return await locations.count_locations(connection, kind=None) == 0


def _load_demo(database_url: str) -> None:
    with progress_bar() as progress:
        task = progress.add_task("Loading demo data", total=1.0)

        async def work(connection: Connection) -> int:
            return await load_demo(connection, report=lambda part: progress.update(task, completed=part))

        prices = run_with_connection(work, database_url)
    out.print(f"Demo data loaded: {prices:,} synthetic daily prices (not market data).")


def migrate(*, contract: bool, data_dir: Path | None) -> None:
    """Bring the database up to date and report what changed."""
    with open_database(read_settings(data_dir=data_dir), check=None) as url:
        is_changed = bring_up_to_date(url)
        is_contracted = run_with_connection(totals.can_store_changes, url)
        if contract and not is_contracted:
            contract_schema(url)
            print_line("Contracted: totals of later batches are stored as changes where that is smaller.")
        elif not is_contracted:
            print_line(CONTRACTION_DUE)
        elif not is_changed:
            out.print("The database is up to date.")


def compact(*, jobs: int, data_dir: Path | None) -> None:
    """Compact the totals to one row per key, over as many connections as there are jobs."""
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url, progress_bar() as progress:
        require_room(settings, url, "Nothing was compacted")
        task = progress.add_task("Compacting", total=1.0)

        async def work(connection: Connection) -> int:
            async with AsyncExitStack() as stack:
                others = [await stack.enter_async_context(connect(url, INGEST)) for _ in range(jobs - 1)]
                return await compaction.compact(
                    [connection, *others], max_rows=1, report=lambda part: progress.update(task, completed=part)
                )

        rows = run_with_connection(work, url)
    out.print(f"Compacted {counted(rows, 'row')}.")


def distribute(*, shards: int | None, undo: bool, data_dir: Path | None) -> None:
    """Distribute the tables over a Citus cluster, or move them back; print what was done."""
    with open_database(read_settings(data_dir=data_dir)) as url, progress_bar() as progress:
        task = progress.add_task("Distributing", total=1.0)

        def report(step: str, part: float) -> None:
            progress.update(task, description=step.capitalize(), completed=part)

        async def work(connection: Connection) -> list[str]:
            if undo:
                return await distribution.undistribute(connection, report=report)
            return await distribution.distribute(connection, shards=shards, report=report)

        tables = run_with_connection(work, url)
    if not tables:
        out.print("No prices are distributed." if undo else "All tables are distributed already.")
        return
    names = ", ".join(tables)
    print_line(f"Moved to the coordinator: {names}." if undo else f"Distributed over the nodes: {names}.")


def queue(data_dir: Path | None) -> None:
    """Print the length, age and pace of the queue."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        state = run_with_connection(batches.measure_queue, url)
    pace = f"{state.ended_last_minute:,} finished in the last minute"
    if not (state.queued or state.running):
        out.print(f"0 batches queued, 0 running, none waiting; {pace}.")
        return
    print_line(
        f"{counted(state.queued, 'batch', 'es')} queued, {state.running:,} running,"
        f" oldest waiting {state.oldest_seconds:,.0f} s, {state.payload_bytes / 1e6:,.1f} MB,"
        f" about {state.work_seconds:,.0f} s of work for one worker; {pace}."
    )


def verify(*, full: bool, repair: bool, data_dir: Path | None) -> bool:
    """Print the differences between totals and observations; return whether there are none."""
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url, progress_bar() as progress:
        if repair:
            require_room(settings, url, "Nothing was repaired")
        task = progress.add_task("Verifying", total=1.0)

        def report(stage: str, part: float) -> None:
            progress.update(task, description=stage, completed=part)

        async def work(connection: Connection) -> tuple[int, list[AnyDifference], str]:
            last = None if full else await verifications.find_verification(connection)
            differences: list[AnyDifference] = []
            months = 0
            async with connect(url, INGEST) as second_connection:
                async for _, of_month in verification.verify(
                    connection, full=full, repair=repair, second_connection=second_connection, report=report
                ):
                    months += 1
                    differences += of_month
            now = await verifications.find_verification(connection)
            return months, differences, _describe_scope(months, last, now)

        months, differences, scope = run_with_connection(work, url)
    if not differences:
        print_line(f"All averages verified ({scope}).")
        return True
    _print_differences([each for each in differences if isinstance(each, Difference)])
    _print_sketch_differences([each for each in differences if isinstance(each, SketchDifference)])
    advice = "They were rebuilt." if repair else "Run `ratesgraph verify --repair` to rebuild what differs."
    shown = f" Of each table, the first {SHOWN_DIFFERENCES} are shown." if len(differences) > SHOWN_DIFFERENCES else ""
    print_error(f"{counted(len(differences), 'difference')} in {counted(months, 'checked month')}.{shown} {advice}")
    return False


def _print_differences(differences: Sequence[Difference]) -> None:
    if not differences:
        return
    keys = (Column(name, no_wrap=True) for name in ("day", "origin", "destination"))
    table = Table(*keys, "prices", "in totals", "sum, USD", "in totals, USD")
    for difference in differences[:SHOWN_DIFFERENCES]:
        table.add_row(
            str(difference.day), difference.origin, difference.destination,
            str(difference.expected_count), str(difference.actual_count),
            f"{difference.expected_sum / 100:,.2f}", f"{difference.actual_sum / 100:,.2f}",
        )  # fmt: skip
    print_table(table)


def _print_sketch_differences(differences: Sequence[SketchDifference]) -> None:
    if not differences:
        return
    keys = (Column(name, no_wrap=True) for name in ("day", "origin", "destination"))
    table = Table(*keys, "from, USD", "to, USD", "prices", "in sketches")
    for origin, destination, cell in differences[:SHOWN_DIFFERENCES]:
        table.add_row(
            str(cell.day), origin, destination, f"{cell.lowest / 100:,.2f}", f"{cell.highest / 100:,.2f}",
            str(cell.expected_count), "unreadable" if cell.actual_count is None else str(cell.actual_count),
        )  # fmt: skip
    print_table(table)


def _describe_scope(months: int, last: Verification | None, now: Verification | None) -> str:
    """Return the number of months that were checked, and since when the others have not changed."""
    if last is None or now is None or months >= now.month_count:
        return counted(months, "month")
    changed = f"{months:,} of {counted(now.month_count, 'month')} changed since {last.ended_at:%Y-%m-%d %H:%M} UTC"
    return f"{changed}; the rows of the others are those verified before"
