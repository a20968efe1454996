"""Options that several commands share, and the call of a command's function."""

import re
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from db.embedded.interrupts import ignored_interrupts
from server.cli.main import raise_interrupts

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


INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells count."""
DAY = "YYYY-MM-DD"
MONTH = "YYYY-MM"
TIME = f"{DAY}[THH:MM]"
MONTH_DIGITS = re.compile(r"\d{4}-\d{2}", re.ASCII)


def parse_day(text: str) -> date:
    """Return the day. Raise typer.BadParameter for any other text."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a calendar day has no time zone
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a valid date ({DAY}).") from error


def parse_month(text: str) -> date:
    """Return the first day of the month. Raise typer.BadParameter for any other text."""
    with suppress(ValueError):
        if MONTH_DIGITS.fullmatch(text):
            return date.fromisoformat(f"{text}-01")
    raise typer.BadParameter(f"'{text}' is not a valid month ({MONTH}).")


def parse_time(text: str) -> datetime:
    """Return the time, or the beginning of the day. Raise typer.BadParameter."""
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M"):
        with suppress(ValueError):
            return datetime.strptime(text, form)  # noqa: DTZ007  # the command takes it as UTC
    raise typer.BadParameter(f"'{text}' is not a valid time ({TIME}).")


MAX_QUEUE_LENGTH = 200
"""Characters of the name of a queue.

RabbitMQ allows 255 bytes, and the name of the dead letters is longer.
"""


def parse_queue(name: str) -> str:
    """Return the name of the queue. Raise typer.BadParameter for a reserved or odd one."""
    is_valid = name.isprintable() and name == name.strip() and 0 < len(name.encode()) <= MAX_QUEUE_LENGTH
    if not is_valid or name.startswith("amq."):
        raise typer.BadParameter(f"must have 1 to {MAX_QUEUE_LENGTH} printable bytes and not begin with 'amq.'.")
    return name


def parse_owner(name: str) -> str:
    """Return the name of a caller. Raise typer.BadParameter for any other text."""
    kind, _, rest = name.partition(":")
    if kind not in {"token", "oidc"} or not rest or not name.isprintable() or len(name) > MAX_QUEUE_LENGTH:
        raise typer.BadParameter("must be token:NAME with the name of an API token, or oidc:SUBJECT.")
    return name


def run_command(module: str, function: str, **arguments: Any) -> None:  # noqa: ANN401
    """Call a command's function; exit with 1 if it returns False, and with 130 after Ctrl-C."""
    command = getattr(import_module(f"server.cli.commands.{module}"), function)
    try:
        raise_interrupts()
        is_done = command(**arguments)
    except KeyboardInterrupt as interruption:
        # A second Ctrl-C must not suppress the message.
        with ignored_interrupts():
            interruptions = import_module("server.cli.commands.interruption")
            message = interruptions.describe_interruption(f"{module}.{function}", arguments)
            if message is not None:
                import_module("server.observability.log_config").report_command_failure(message, interruption)
        raise typer.Exit(INTERRUPTED) from None
    if is_done is False:
        raise typer.Exit(1)
