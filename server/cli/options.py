"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
