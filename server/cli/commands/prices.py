"""`ratesgraph prices load`: local price files, applied directly to the database."""

from pathlib import Path

from db.connection import Connection
from db.repositories import batches
from domain.batches import BatchOutcome, BatchStatus, OnError, Rejection
from domain.file_formats import find_format
from domain.paths import printable
from ingest.batches.load import AlreadyLoaded, load_file
from ingest.errors import FileRejected
from server.cli.commands.batch_report import SHOWN_REJECTIONS, print_outcome
from server.cli.console import (
    open_database,
    print_error,
    print_line,
    progress_bar,
    read_settings,
    require_room,
    run_with_connection,
)
from server.config.settings import Settings


def load(files: list[Path], *, skip_invalid: bool, again: bool, data_dir: Path | None) -> bool:
    """Load each file as a separate batch and return whether all were applied."""
    on_error = OnError.SKIP_INVALID if skip_invalid else OnError.REJECT_BATCH
    settings = read_settings(data_dir=data_dir)
    with open_database(settings) as url:
        loaded = [_load_one(settings, url, file, on_error, again=again) for file in files]
    return all(loaded)


def _load_one(settings: Settings, url: str, file: Path, on_error: OnError, *, again: bool) -> bool:
    """Load one file, print the result, and return whether it was applied.

    Raise CommandError if the disk of the embedded server has no room.
    """
    require_room(settings, url, file.name)
    try:
        with file.open("rb") as data, progress_bar() as progress:
            task = progress.add_task(f"{file.name}: starting", total=1.0)

            def report(stage: str, fraction: float) -> None:
                progress.update(task, description=f"{file.name}: {stage}", completed=fraction)

            async def work(connection: Connection) -> tuple[int, BatchOutcome, list[Rejection]]:
                batch_id, outcome = await load_file(
                    connection,
                    data,
                    find_format(file.name),
                    source=printable(file.name),
                    on_error=on_error,
                    again=again,
                    limits=settings.batch_limits(),
                    report=report,
                )
                return batch_id, outcome, await batches.list_rejections(connection, batch_id, limit=SHOWN_REJECTIONS)

            batch_id, outcome, rejections = run_with_connection(work, url)
    except AlreadyLoaded as known:
        print_line(f"{file.name}: already loaded as batch {known.batch_id}, nothing changed (--again reloads it).")
        return True
    except FileRejected as error:
        print_error(f"{file.name}: {error.code}: {error.message}")
        return False
    print_outcome(file.name, batch_id, outcome, rejections)
    return outcome.status is BatchStatus.APPLIED
