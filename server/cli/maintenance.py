"""Commands that maintain a database, from `archive` to `verify`: options and help texts."""

from datetime import date
from typing import Annotated

import typer

from server.cli.options import MONTH, DataDir, parse_month, run_command


def archive(
    before: Annotated[
        date | None,
        typer.Option(parser=parse_month, metavar=MONTH, help="Archive prices whose last day is before this month."),
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="URL", help="Place of the files: file:///… or s3://…")] = None,
    delete_older_than: Annotated[
        date | None,
        typer.Option(
            parser=parse_month, metavar=MONTH, help="Delete archived months before this one for good, averages too."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would happen; change nothing.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Move prices of old months to Parquet files, or delete such files.

    Averages stay in the database, and no answer changes.
    An interrupted run is continued by the next one.
    """
    if delete_older_than is not None and (before is not None or to is not None):
        raise typer.BadParameter("Specify either --before with --to, or --delete-older-than.")
    if delete_older_than is None and (before is None or to is None):
        raise typer.BadParameter("Specify --before with --to, or --delete-older-than.")
    if delete_older_than is not None:
        run_command("database.archive", "delete_archived", before=delete_older_than, dry_run=dry_run, data_dir=data_dir)
    else:
        run_command("database.archive", "archive", before=before, to=to, dry_run=dry_run, data_dir=data_dir)


def verify(
    full: Annotated[
        bool, typer.Option("--full", help="Compare everything, also what has not changed since the last run.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild the totals and sketches of months that differ.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Compare totals and sketches with the single prices and print the differences.

    The first run compares all months. Later ones compare the checksum of every stored row with that of the last run. Where
    something has changed since, they read archived files, and compare totals and sketches with the prices. So they find a
    damaged, missing or additional row, and a wrong batch. A month that differs is recomputed by recursive SQL. Uploads go on;
    only while --repair rebuilds a month they wait. Exits with 1 if there were differences, also if they were repaired.
    """
    run_command("database.maintenance", "verify", full=full, repair=repair, data_dir=data_dir)


def compact(
    jobs: Annotated[
        int,
        typer.Option(help="Connections that compact side by side, each on a processor of the database.", min=1, max=64),
    ] = 1,
    data_dir: DataDir = None,
) -> None:
    """Merge the partial sums and sketches of many small batches.

    Query results do not change; reads get faster. Uploads go on. Several of these commands, and workers, share the work: each
    locks a range of origins for about a second at a time.
    """
    run_command("database.maintenance", "compact", jobs=jobs, data_dir=data_dir)


def distribute(
    shards: Annotated[int | None, typer.Option(help="Number of shards (default: 32).", min=1, max=1_024)] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Move the prices back to the coordinator.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Distribute observations and totals over the nodes of a Citus cluster.

    DATABASE_URL names the coordinator. Uploads and changes of the region tree wait until the command ends; queries wait for
    seconds. Tables that are distributed already stay as they are.
    """
    if undo and shards is not None:
        raise typer.BadParameter("Specify either --shards or --undo.")
    run_command("database.maintenance", "distribute", shards=shards, undo=undo, data_dir=data_dir)
