"""Command `ratesgraph archive`: its options and help text."""

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
        run_command(
            "database.maintenance", "delete_archived", before=delete_older_than, dry_run=dry_run, data_dir=data_dir
        )
    else:
        run_command("database.maintenance", "archive", before=before, to=to, dry_run=dry_run, data_dir=data_dir)
