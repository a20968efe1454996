"""`python -m tests.chaos`: kill and crash everything while uploads go on, and see whether every promise was kept."""

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
    """Run and print the figures; return 1 if anything was lost, doubled, failed or wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill and crash everything during uploads."
    )
    parser.add_argument("--batches", type=int, default=FULL.batches, help="batches to upload (%(default)s)")
    parser.add_argument("--kills", type=int, default=FULL.kills, help="SIGKILLs of workers and the API (%(default)s)")
    parser.add_argument("--stops", type=int, default=FULL.stops, help="crashes of PostgreSQL (%(default)s)")
    parser.add_argument("--workers", type=int, default=FULL.workers, help="worker processes (%(default)s)")
    parser.add_argument("--seed", type=int, default=FULL.seed, help="of batches, clients and killer (%(default)s)")
    parser.add_argument("--logs", type=Path, help="folder in which the processes' logs stay")
    options = parser.parse_args(argv)
    scale = Scale(options.batches, options.kills, options.stops, options.workers, options.seed)
    figures = run(scale, options.logs)
    console = Console(highlight=False)
    console.print(figures.table())
    for complaint in figures.complaints[:SHOWN_COMPLAINTS]:
        console.print(complaint, markup=False, soft_wrap=True)
    return 1 if figures.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
