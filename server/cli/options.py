"""Options that several commands share, and the call of a command's function."""

from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Data folder of the embedded PostgreSQL (default: .ratesgraph).")
]


class OnErrorChoice(StrEnum):
    """Effect of an invalid item on its file."""

    REJECT = "reject"
    SKIP = "skip"


OnErrorOption = Annotated[
    OnErrorChoice, typer.Option(help="Effect of an invalid item: its whole file is rejected, or the item is skipped.")
]


DAY = "YYYY-MM-DD"
TIME = f"{DAY}[THH:MM]"


def parse_day(text: str) -> date:
    """Return the day. Raise typer.BadParameter for any other text."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a calendar day has no time zone
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a valid date ({DAY}).") from error


def parse_time(text: str) -> datetime:
    """Return the time, or the beginning of the day. Raise typer.BadParameter."""
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M"):
        with suppress(ValueError):
            return datetime.strptime(text, form)  # noqa: DTZ007  # the command takes it as UTC
    raise typer.BadParameter(f"'{text}' is not a valid time ({TIME}).")


def run_command(module: str, function: str, **arguments: Any) -> None:  # noqa: ANN401
    """Call a command's function; exit with 1 if it returns False."""
    if getattr(import_module(f"server.cli.commands.{module}"), function)(**arguments) is False:
        raise typer.Exit(1)
