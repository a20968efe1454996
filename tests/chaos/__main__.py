"""Chaos run (`python -m tests.chaos`): kills and crashes during uploads.

Afterwards the database must match everything that was acknowledged.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.chaos.run import run
from tests.chaos.scale import Scale

SHOWN_COMPLAINTS = 50
FULL = Scale()


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print the figures; return 1 if the run violated a guarantee."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill processes and crash PostgreSQL during uploads."
    )
    parser.add_argument("--batches", type=int, default=FULL.batches, help="batches to upload (%(default)s)")
    parser.add_argument("--kills", type=int, default=FULL.kills, help="SIGKILLs of workers and the API (%(default)s)")
    parser.add_argument("--stops", type=int, default=FULL.stops, help="crashes of PostgreSQL (%(default)s)")
    parser.add_argument("--workers", type=int, default=FULL.workers, help="worker processes (%(default)s)")
    parser.add_argument("--seed", type=int, default=FULL.seed, help="seed of batches, clients and killer (%(default)s)")
    parser.add_argument(
        "--logs", type=Path, help="folder for the logs of the processes (default: deleted after the run)"
    )
    options = parser.parse_args(argv)
    scale = Scale(options.batches, options.kills, options.stops, options.workers, options.seed)
    figures = run(scale, options.logs)
    console = Console(highlight=False)
    console.print(figures.table())
    for complaint in figures.violations[:SHOWN_COMPLAINTS]:
        console.print(complaint, markup=False, soft_wrap=True)
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
