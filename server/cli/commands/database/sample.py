"""`ratesgraph sample`: makes a small database from a large one."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from db.diagnosis.conninfo import is_connection_string
from db.embedded.interrupts import ignored_interrupts
from db.embedded.supervisor import embedded_server
from db.errors import EmbeddedServerError, MigrationNeeded
from db.pool import INGEST, connect
from domain.paths import printable
from ingest.sampling.sample import Sample, choose_sample, copy_sample, require_empty
from server.cli.commands.database.maintenance import bring_up_to_date
from server.cli.console import (
    CommandError,
    described_errors,
    open_database,
    print_line,
    progress_bar,
    read_settings,
    run_with_connection,
)


def sample(*, lanes: int, seed: int, to: str, data_dir: Path | None) -> None:
    """Copy some lanes of the configured database into a new data folder or an empty database.

    Whatever makes a sample impossible is found before a folder is created or a database is migrated.
    """
    settings = read_settings(data_dir=data_dir)
    is_url = is_connection_string(to)
    if not is_url:
        _require_new(to, settings.data_dir)
    with open_database(settings) as source, progress_bar() as progress:
        task = progress.add_task("", total=None)

        def report(text: str) -> None:
            progress.update(task, description=text)

        chosen = run_with_connection(partial(choose_sample, lanes=lanes, seed=seed, report=report), source)
        with _open_target(to) as target:
            bring_up_to_date(target)
            asyncio.run(_copy(source, target, chosen, report))
    print_line(f"Copied {len(chosen.lanes):,} of {chosen.source_lanes:,} lanes. They have: {', '.join(chosen.traits)}.")
    if not is_url:
        print_line(f"Start a server with: ratesgraph serve --data-dir {printable(Path(to))}")


async def _copy(source_url: str, target_url: str, chosen: Sample, report: Callable[[str], None]) -> None:
    async with connect(source_url, INGEST) as source, connect(target_url, INGEST) as target:
        await copy_sample(source, target, chosen.lanes, report)


def _require_new(to: str, source: Path) -> None:
    """Raise CommandError unless the text names a folder that is missing or empty.

    The message does not quote the URL of another system, which may contain a password.
    """
    if not to or "://" in to:
        raise CommandError("--to is neither a folder nor the URL of a database; write postgresql://… or a new folder.")
    folder = Path(to)
    if folder.resolve() == source.resolve():
        raise CommandError(f"{printable(folder)} is the folder of the source; name a new folder with --to.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"{printable(folder)} is not empty; name a new folder with --to.")


@contextmanager
def _open_target(to: str) -> Iterator[str]:
    """Yield the URL of the target: a database, or the embedded one in a new folder.

    The folder is deleted if the block fails.
    """
    if is_connection_string(to):
        with described_errors(to):
            with suppress(MigrationNeeded):
                run_with_connection(require_empty, to)
            yield to
    else:
        try:
            with embedded_server(Path(to)) as url:
                yield url
        except BaseException as error:
            # An incomplete sample must not start a server, and the folder must be free for the next attempt.
            with ignored_interrupts():
                shutil.rmtree(to, ignore_errors=True)
            if isinstance(error, EmbeddedServerError):
                raise CommandError(_name_option(str(error))) from error
            raise


def _name_option(message: str) -> str:
    """Return the message of an embedded server with the option of this command."""
    message = message.replace(", or set DATABASE_URL", "").replace("another --data-dir", "another folder with --to")
    return message.replace("--data-dir", "path with --to")
