"""`ratesgraph verify`: are the averages what the observations say?"""

from typing import Annotated

import typer
from rich.table import Table

from db.pool import Connection
from db.totals import Difference
from ingest.verify import verify
from server.console import DataDir, err, open_database, out, progress_bar, read_settings, run

SHOWN = 20


def verify_command(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the totals of a month that differs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Recompute all averages by recursive SQL over the observations, compare with the totals, print differences.

    Exits with 1 if there are any.
    """
    with open_database(read_settings(data_dir=data_dir)) as url, progress_bar() as progress:
        task = progress.add_task("Verifying", total=None)

        async def work(connection: Connection) -> tuple[int, list[Difference]]:
            found: list[Difference] = []
            months = 0
            async for month, differences in verify(connection, repair=repair):
                progress.update(task, description=f"Verified {month:%Y-%m}")
                months += 1
                found += differences
            return months, found

        months, found = run(work, url)
    if not found:
        out.print(f"Every average is what its prices say ({months} months verified).")
        return
    table = Table("day", "origin", "destination", "prices", "in totals", "sum, USD", "in totals, USD")
    for entry in found[:SHOWN]:
        table.add_row(
            str(entry.day), entry.origin, entry.destination, str(entry.expected_count), str(entry.actual_count),
            f"{entry.expected_sum / 100:,.2f}", f"{entry.actual_sum / 100:,.2f}",
        )  # fmt: skip
    out.print(table)
    done = "The totals were rebuilt." if repair else "Run `ratesgraph verify --repair` to rebuild the totals."
    err.print(f"[red]{len(found):,} differences in {months} months.[/red] {done}")
    raise typer.Exit(1)
