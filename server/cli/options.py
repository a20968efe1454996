"""What the commands share: common options, and the call of a command's function."""

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


def run_command(module: str, function: str, **arguments: Any) -> None:  # noqa: ANN401
    """Call a command's function; exit with 1 if it returns False."""
    if getattr(import_module(f"server.cli.commands.{module}"), function)(**arguments) is False:
        raise typer.Exit(1)
