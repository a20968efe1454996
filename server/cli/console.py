"""What the commands share: output, progress, errors in words, and the way to the database."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from db.connection import Connection
from db.embedded import embedded_server
from db.errors import DatabaseError
from db.pool import INGEST, connect
from ingest.errors import IngestError
from server.config.settings import Settings
from server.observability import log_config

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

T = TypeVar("T")


@contextmanager
def open_database(settings: Settings) -> Iterator[str]:
    """Yield the database's URL: a direct one, as commands need a session, or the embedded server's, which runs as long."""
    if settings.database_url is not None:
        yield settings.direct_url or settings.database_url
        return
    with embedded_server(settings.data_dir) as url:
        yield url


def read_settings(**given: object) -> Settings:
    """Return the settings, with what was given on the command line, and log in their way, for a reader unless told otherwise.

    A data folder means the embedded server.
    """
    options: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if "data_dir" in options:
        options |= {"database_url": None, "direct_url": None}
    settings = Settings().model_copy(update=options)
    log_config.configure_logging(settings, auto="console")
    return settings


def run_with_connection(work: Callable[[Connection], Coroutine[Any, Any, T]], database_url: str) -> T:
    """Run the work with a connection of its own and return what it returns."""

    async def main() -> T:
        async with connect(database_url, INGEST) as connection:
            return await work(connection)

    return asyncio.run(main())


@contextmanager
def progress_bar(*columns: ProgressColumn) -> Iterator[Progress]:
    """Show progress on standard error, with more columns where they are given, and nothing where that is no terminal."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as progress:
        yield progress


class CommandError(Exception):
    """A command cannot do its work; the message says why and what to do."""


def print_error(message: str) -> None:
    """Print a failure on standard error, on one line however long."""
    err.print(message, style="red", markup=False, soft_wrap=True)


def describe_error(error: Exception) -> str | None:
    """Return what to tell of an error that users can cause or mend, or None for a fault of ours."""
    match error:
        case IngestError():
            return f"{error.code}: {error.message}"
        case DatabaseError() | CommandError():
            return str(error)
        case ValidationError():
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            return f"Setting {place}: {first['msg']}" if place else first["msg"].removeprefix("Value error, ")
        case OSError():
            return f"{error.filename or 'Input or output'}: {error.strerror or error}"
    return None
