"""`ratesgraph sample`: makes a small database from a large one."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from db.diagnosis.conninfo import is_connection_string
from db.embedded.supervisor import embedded_server
from db.pool import INGEST, connect
from domain.paths import printable
from ingest.sampling.sample import Sample, copy_sample
from server.cli.commands.database.maintenance import bring_up_to_date
from server.cli.console import (
    CommandError,
    described_errors,
    open_database,
    out,
    print_line,
    progress_bar,
    read_settings,
)


def sample(*, lanes: int, seed: int, to: str, data_dir: Path | None) -> None:
    """Copy some lanes of the configured database into a new data folder or an empty database."""
    settings = read_settings(data_dir=data_dir)
    is_url = is_connection_string(to)
    if not is_url:
        _require_new(Path(to), settings.data_dir)
    with open_database(settings) as source, _open_target(to) as target, progress_bar() as progress:
        bring_up_to_date(target)
        task = progress.add_task("", total=None)
        made = asyncio.run(_copy(source, target, lanes, seed, lambda text: progress.update(task, description=text)))
    out.print(f"Copied {made.lanes:,} of {made.source_lanes:,} lanes. They have: {', '.join(made.traits)}.")
    if not is_url:
        print_line(f"Start a server with: ratesgraph serve --data-dir {printable(Path(to))}")


async def _copy(source_url: str, target_url: str, lanes: int, seed: int, report: Callable[[str], None]) -> Sample:
    async with connect(source_url, INGEST) as source, connect(target_url, INGEST) as target:
        return await copy_sample(source, target, lanes=lanes, seed=seed, report=report)


def _require_new(folder: Path, source: Path) -> None:
    """Raise CommandError unless the folder is missing or empty."""
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
            yield to
    else:
        try:
            with embedded_server(Path(to)) as url:
                yield url
        except BaseException:
            # An incomplete sample must not start a server, and the folder must be free for the next attempt.
            shutil.rmtree(to, ignore_errors=True)
            raise
