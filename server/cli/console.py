"""Shared parts of the commands: output, progress bars, error messages and database access."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from db.connection import Connection
from db.embedded.supervisor import embedded_server
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
    """Yield a database URL; without DATABASE_URL, run the embedded server for the block.

    The URL bypasses a connection pooler if the settings name a direct one, because commands need a session.
    """
    if settings.database_url is not None:
        yield settings.direct_url or settings.database_url
        return
    with embedded_server(settings.data_dir) as url:
        yield url


def read_settings(**overrides: object) -> Settings:
    """Return the settings with the overrides of the command line, and configure logging.

    The log format defaults to the console's. A data folder selects the embedded server.
    """
    options: dict[str, object] = {name: value for name, value in overrides.items() if value is not None}
    if "data_dir" in options:
        options |= {"database_url": None, "direct_url": None}
    settings = Settings().model_copy(update=options)
    log_config.configure_logging(settings, auto="console")
    return settings


def run_with_connection(work: Callable[[Connection], Coroutine[Any, Any, T]], database_url: str) -> T:
    """Open a connection, run the work with it, and return its result."""

    async def main() -> T:
        async with connect(database_url, INGEST) as connection:
            return await work(connection)

    return asyncio.run(main())


@contextmanager
def progress_bar(*columns: ProgressColumn) -> Iterator[Progress]:
    """Show progress on standard error if it is a terminal; `columns` are shown in addition."""
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
    """Failure of a command; the message states the reason and the remedy."""


def print_line(message: str) -> None:
    """Print a message on standard output as one unwrapped line, without markup."""
    out.print(message, markup=False, soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error message on standard error as one unwrapped line."""
    err.print(message, style="red", markup=False, soft_wrap=True)


def describe_error(error: Exception) -> str | None:
    """Return the message for an error that the user can fix, or None for an internal error."""
    match error:
        case IngestError():
            return f"{error.code}: {error.message}"
        case DatabaseError() | CommandError():
            return str(error)
        case ValidationError():
            first = error.errors()[0]
            setting = ".".join(str(part) for part in first["loc"])
            return f"Setting {setting}: {first['msg']}" if setting else first["msg"].removeprefix("Value error, ")
        case OSError():
            return f"{error.filename or 'Input or output'}: {error.strerror or error}"
    return None
