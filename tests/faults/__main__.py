"""Rolling restarts under load (`python -m tests.faults`): no request may fail.

All server processes are replaced repeatedly while readers send requests. The first half of the processes are those of the
release before; then the database is migrated, and the others are those of this release.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from db.embedded.supervisor import embedded_server
from db.migrate import migrate
from tests.faults.restarts import Figures, restart_repeatedly
from tests.support.deployment.releases import NoHistory, open_deployment

SHOWN = 20


def create_table(figures: Figures) -> Table:
    """Return the figures as a readable table."""
    table = Table("figure", "value", title="Rolling restarts")
    for name, value in (
        ("restarts of both processes", f"{len(figures.restarts)}"),
        ("  duration of each", f"{min(figures.restarts):.1f} to {max(figures.restarts):.1f} s"),
        ("requests", f"{figures.requests:,}"),
        ("  failed or with a wrong result", f"{len(figures.failed_requests)}"),
        ("  slowest", f"{figures.slowest:.2f} s"),
    ):
        table.add_row(name, value)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print the figures; return 1 if any request failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Replace server processes under load.")
    parser.add_argument("--restarts", type=int, default=10, help="number of rolling restarts (%(default)s)")
    parser.add_argument("--requests", type=int, default=10_000, help="minimum number of requests (%(default)s)")
    parser.add_argument(
        "--readers",
        type=int,
        default=16,
        help="number of readers; half of them use persistent connections (%(default)s)",
    )
    options = parser.parse_args(argv)
    with TemporaryDirectory(prefix="ratesgraph-") as folder, embedded_server(Path(folder) / "data") as url:
        console = Console(highlight=False)
        try:
            deployment = open_deployment(Path(folder))
        except NoHistory as error:
            console.print(f"Without a migration: the previous release is unknown ({error}).")
            deployment = None
            migrate(url)
        figures = restart_repeatedly(
            url,
            restarts=options.restarts,
            requests=options.requests,
            readers=options.readers,
            settings={"RATESGRAPH_CACHE_BYTES": "0"},
            deployment=deployment,
        )
    console.print(create_table(figures))
    for one in figures.failed_requests[:SHOWN]:
        console.print(str(one), markup=False, soft_wrap=True)
    return 1 if figures.failed_requests else 0


if __name__ == "__main__":
    sys.exit(main())
