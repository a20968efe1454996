"""Shared parts of the commands: output, progress bars, error messages and database access."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from db.connection import Connection
from db.diagnosis.conninfo import with_summary
from db.embedded.disk_space import open_disk_space
from db.embedded.supervisor import embedded_server
from db.errors import DatabaseError, DatabaseUnavailable, DatabaseUnusable, describe_for_operator
from db.pool import INGEST, connect
from db.requirements import Work, check_database, explain_refusal
from domain.paths import printable
from ingest.errors import IngestError
from server.config.setting_names import environment_names, find_former_names, find_unknown_names
from server.config.settings import Settings
from server.observability import log_config

log = logging.getLogger("ratesgraph.server")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

PIPED_WIDTH = 10_000
"""Characters of a line that is not printed on a terminal, where nothing needs to be cut."""

T = TypeVar("T")


@contextmanager
def open_database(settings: Settings, *, announce: bool = True, check: Work | None = Work.READ) -> Iterator[str]:
    """Yield a database URL; without DATABASE_URL, run the embedded server for the block.

    The URL bypasses a connection pooler if the settings name a direct one, because commands need a session. Unless `check` is
    None, the database is checked first. Raise CommandError with the reason if the database cannot be reached or used. With
    `announce`, the embedded server is named on standard error unless its folder was chosen.
    """
    if settings.database_url is not None:
        source: AbstractContextManager[str] = nullcontext(settings.direct_url or settings.database_url)
    else:
        source = embedded_server(settings.data_dir)
        if announce and "data_dir" not in settings.model_fields_set:
            folder = f"{printable(settings.data_dir)}/"
            err.print(
                f"Using the embedded PostgreSQL in {folder} (DATABASE_URL is not set).", markup=False, soft_wrap=True
            )
    with source as url, described_errors(url):
        if check is not None and settings.database_url is not None:
            asyncio.run(check_database(url, check))
        yield url


@contextmanager
def described_errors(database_url: str) -> Iterator[None]:
    """Convert errors of the database into CommandError with address, reason and remedy."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise CommandError(describe_for_operator(with_summary(database_url, error))) from error
    except DatabaseUnusable as error:
        if error.__cause__ is None:
            raise
        raise CommandError(asyncio.run(explain_refusal(database_url, error))) from error


def read_settings(**overrides: object) -> Settings:
    """Return the settings with the overrides of the command line, and configure logging.

    The log format defaults to the console's. A data folder selects the embedded server.
    """
    options: dict[str, object] = {name: value for name, value in overrides.items() if value is not None}
    if "data_dir" in options:
        options |= {"database_url": None, "direct_url": None, "read_urls": None}
    settings = Settings().model_copy(update=options)
    log_config.configure_logging(settings, auto="console")
    return settings


def warn_about_variables() -> None:
    """Log each environment variable that has a former name of a setting, or the name of none."""
    for former, name in find_former_names(os.environ).items():
        log.warning("setting %s is deprecated: use %s", former, name, extra={"setting": former, "use": name})
    for unknown, similar in find_unknown_names(os.environ).items():
        hint = f"; did you mean {similar}?" if similar else ""
        log.warning("unknown setting %s is ignored%s", unknown, hint, extra={"setting": unknown})


def run_with_connection(work: Callable[[Connection], Coroutine[Any, Any, T]], database_url: str) -> T:
    """Open a connection, run the work with it, and return its result."""

    async def main() -> T:
        async with connect(database_url, INGEST) as connection:
            return await work(connection)

    return asyncio.run(main())


@contextmanager
def progress_bar(*columns: ProgressColumn) -> Iterator[Progress]:
    """Show progress on standard error if it is a terminal; `columns` are shown in addition.

    Print lines with `print_result` meanwhile.
    """
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


def require_room(settings: Settings, database_url: str, subject: str, free_bytes: int | None = None) -> None:
    """Raise CommandError (NO_ROOM) unless the embedded server has its reserve of disk space.

    `free_bytes` replaces the reserve of the settings.
    """
    disk_space = open_disk_space(
        settings.data_dir, database_url, settings.min_free_bytes if free_bytes is None else free_bytes
    )
    if disk_space is not None and (shortage := disk_space.find_shortage()) is not None:
        raise CommandError(f"{subject}: NO_ROOM: {shortage}")


def print_line(message: str) -> None:
    """Print a message on standard output as one unwrapped line, without markup."""
    out.print(message, markup=False, soft_wrap=True)


def print_result(message: str) -> None:
    """Print a result on standard output while a progress bar is shown.

    It stands above the bar if both are on a terminal.
    """
    console = err if out.is_terminal and err.is_terminal else out
    console.print(message, markup=False, soft_wrap=True)


def counted(count: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun, such as `1 month` or `1,200 months`."""
    return f"{count:,} {noun}{'' if count == 1 else ending}"


def print_table(table: Table, console: Console = out) -> None:
    """Print a table: as wide as its cells, or on a terminal as wide as that at most."""
    if not console.is_terminal:
        console = Console(file=console.file, highlight=False, width=PIPED_WIDTH)
    console.print(table, markup=False)


def print_error(message: str) -> None:
    """Print an error message on standard error as one unwrapped line."""
    err.print(message, style="red", markup=False, soft_wrap=True)


def _variable(name: str) -> str:
    """Return the environment variable of a field of the settings; an alias is one already."""
    return environment_names(name)[0] if name in Settings.model_fields else name


def describe_error(error: Exception) -> str | None:
    """Return the message for an error that the user can fix, or None for an internal error."""
    match error:
        case IngestError():
            return f"{error.code}: {error.message}"
        case DatabaseError() | CommandError():
            return str(error)
        case ValidationError():
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            setting = ".".join(_variable(str(part)) for part in first["loc"])
            if not setting:
                return message
            return f"{setting}{' ' if message.startswith('must ') else ': '}{message}"
        case OSError():
            return f"{error.filename or 'Input or output'}: {error.strerror or error}"
    return None
