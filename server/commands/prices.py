"""`ratesgraph prices`: prices from files that are at hand."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from db import batches
from db.model import BatchOutcome, BatchStatus, OnError, Rejection
from db.pool import Connection
from ingest.apply import AlreadyLoaded, load_file
from ingest.errors import FileRejected
from ingest.files import format_of
from server.console import DataDir, err, open_database, out, progress_bar, read_settings, run

app = typer.Typer(no_args_is_help=True, help="Load prices.")
SHOWN_REJECTIONS = 20


class Choice(StrEnum):
    """What one invalid item does to its file."""

    REJECT = "reject"
    SKIP = "skip"


ON_ERROR = {Choice.REJECT: OnError.REJECT_BATCH, Choice.SKIP: OnError.SKIP_INVALID}


@app.callback()
def prices() -> None:
    """Load prices."""


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...", show_default=False)],
    on_error: Annotated[
        Choice, typer.Option(help="What an invalid item does: reject its whole file, or be skipped.")
    ] = Choice.REJECT,
    again: Annotated[bool, typer.Option("--again", help="Load a file even if it was loaded before.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Load CSV, NDJSON or Parquet files (.gz too), each as one batch, all or nothing.

    Columns: origin_code,destination_code,day,price or origin,destination,date_from,date_to,price; optionally currency.
    A file is recognised by its content: it is not loaded a second time by accident. Exits with 1 if any file failed.
    """
    with open_database(read_settings(data_dir=data_dir)) as url:
        results = [_load_one(url, file, ON_ERROR[on_error], again=again) for file in files]
    if not all(results):
        raise typer.Exit(1)


def _load_one(url: str, file: Path, on_error: OnError, *, again: bool) -> bool:
    """Load one file, say what became of it, and return whether it is in."""
    try:
        data, file_format = file.read_bytes(), format_of(file)
        with progress_bar() as progress:
            task = progress.add_task(f"{file.name}: starting", total=None)

            async def work(connection: Connection) -> tuple[int, BatchOutcome, list[Rejection]]:
                batch_id, outcome = await load_file(
                    connection,
                    data,
                    file_format,
                    source=file.name,
                    on_error=on_error,
                    again=again,
                    report=lambda stage: progress.update(task, description=f"{file.name}: {stage}"),
                )
                return batch_id, outcome, await batches.list_rejections(connection, batch_id, limit=SHOWN_REJECTIONS)

            batch_id, outcome, rejections = run(work, url)
    except AlreadyLoaded as known:
        out.print(f"{file.name}: already loaded as batch {known.batch_id}, nothing changed (--again loads it again).")
        return True
    except FileRejected as error:
        err.print(f"[red]{file.name}: {error.code}: {error.message}[/red]", soft_wrap=True)
        return False
    _print_outcome(file, batch_id, outcome, rejections)
    return outcome.status is BatchStatus.APPLIED


def _print_outcome(file: Path, batch_id: int, outcome: BatchOutcome, rejections: list[Rejection]) -> None:
    if rejections:
        table = Table("item", "field", "code", "message", "value", title=f"{file.name}: the first problems")
        for rejection in rejections:
            row = (rejection.item, rejection.field, rejection.code, rejection.message, rejection.value)
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        err.print(table, markup=False)
    if outcome.status is BatchStatus.APPLIED:
        out.print(
            f"{file.name}: batch {batch_id} applied, {outcome.accepted_count:,} of {outcome.item_count:,} items,"
            f" {outcome.price_day_count:,} daily prices."
        )
    else:
        err.print(
            f"[red]{file.name}: rejected, {outcome.rejected_count:,} of {outcome.item_count:,} items are invalid; no price"
            " changed (--on-error skip loads the others).[/red]",
            soft_wrap=True,
        )
