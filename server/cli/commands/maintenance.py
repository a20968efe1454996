"""`ratesgraph migrate`, `verify`, `compact` and `queue`: what an operator does to a database now and then."""

from pathlib import Path

from rich.table import Table

from db.connection import Connection
from db.migrate import migrate as apply_migrations
from db.repositories import batches, locations
from db.repositories.totals import Difference
from ingest import compact as compaction
from ingest import verify as verification
from ingest.demo.load import load_demo
from ingest.exchange_rates.ecb import load_ecb_rates
from server.cli.console import open_database, out, print_error, progress_bar, read_settings, run_with_connection

SHOWN_DIFFERENCES = 20


def bring_up_to_date(database_url: str) -> bool:
    """Bring the schema and the exchange rates up to date, say what was done, and return whether anything was."""
    applied = apply_migrations(database_url)
    if applied:
        out.print(f"Schema brought up to date: {len(applied)} migrations applied.")
    loaded = run_with_connection(load_ecb_rates, database_url)
    if loaded:
        out.print(f"{loaded:,} exchange rates of the European Central Bank loaded.")
    return bool(applied or loaded)


def prepare(*, demo: bool) -> None:
    """Do what comes before serving: bring the database of the settings up to date, and fill an empty one with demo data."""
    with open_database(read_settings()) as url:
        bring_up_to_date(url)
        if demo and run_with_connection(_is_empty, url):
            _load_demo(url)


async def _is_empty(connection: Connection) -> bool:
    return await locations.count_locations(connection, search=None, kind=None) == 0


def _load_demo(database_url: str) -> None:
    with progress_bar() as progress:
        task = progress.add_task("Loading the demo data", total=1.0)

        async def work(connection: Connection) -> int:
            return await load_demo(connection, report=lambda part: progress.update(task, completed=part))

        prices = run_with_connection(work, database_url)
    out.print(f"Demo data loaded: {prices:,} synthetic daily prices (not market data).")


def migrate(data_dir: Path | None) -> None:
    """Bring the database up to date."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        if not bring_up_to_date(url):
            out.print("The database is up to date.")


def compact(data_dir: Path | None) -> None:
    """Compact the totals to one row a key."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        rows = run_with_connection(lambda connection: compaction.compact(connection, max_rows=1), url)
    out.print(f"{rows:,} rows of totals added up.")


def queue(data_dir: Path | None) -> None:
    """Print how the queue stands."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        state = run_with_connection(batches.measure_queue, url)
    age = f"the oldest for {state.oldest_seconds:,.0f} s" if state.queued or state.running else "none is waiting"
    pace = f"{state.ended_last_minute:,} ended in the last minute"
    out.print(f"{state.queued:,} batches queued, {state.running:,} running, {age}; {pace}.")


def verify(*, repair: bool, data_dir: Path | None) -> bool:
    """Print what differs and return whether nothing does."""
    with open_database(read_settings(data_dir=data_dir)) as url, progress_bar() as progress:
        task = progress.add_task("Verifying", total=None)

        async def work(connection: Connection) -> tuple[int, list[Difference]]:
            found: list[Difference] = []
            months = 0
            async for month, differences in verification.verify(connection, repair=repair):
                progress.update(task, description=f"Verified {month:%Y-%m}")
                months += 1
                found += differences
            return months, found

        months, found = run_with_connection(work, url)
    if not found:
        out.print(f"Every average is what its prices say ({months} months verified).")
        return True
    table = Table("day", "origin", "destination", "prices", "in totals", "sum, USD", "in totals, USD")
    for entry in found[:SHOWN_DIFFERENCES]:
        table.add_row(
            str(entry.day), entry.origin, entry.destination, str(entry.expected_count), str(entry.actual_count),
            f"{entry.expected_sum / 100:,.2f}", f"{entry.actual_sum / 100:,.2f}",
        )  # fmt: skip
    out.print(table)
    done = "The totals were rebuilt." if repair else "Run `ratesgraph verify --repair` to rebuild the totals."
    print_error(f"{len(found):,} differences in {months} months. {done}")
    return False
