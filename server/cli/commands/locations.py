"""`ratesgraph locations`: loads the region tree from files."""

from pathlib import Path

from db.connection import Connection
from domain.locations import TreeChange
from ingest.tree import change_tree, read_ports, read_regions
from server.cli.console import open_database, out, progress_bar, read_settings, run_with_connection


def load(regions: Path | None, ports: Path | None, data_dir: Path | None, *, large: bool) -> None:
    """Load one or both files as one change of the tree.

    With `large`, it may move any number of lane-months.
    """
    entries = [] if regions is None else read_regions(regions.read_bytes(), regions.name)
    entries += [] if ports is None else read_ports(ports.read_bytes(), ports.name)
    settings = read_settings(data_dir=data_dir)
    max_moved_rows = None if large else settings.max_moved_lane_months
    with open_database(settings) as url, progress_bar() as progress:
        task = progress.add_task("changing the tree", total=1.0)

        async def work(connection: Connection) -> TreeChange:
            return await change_tree(
                connection,
                entries,
                max_moved_rows=max_moved_rows,
                report=lambda fraction: progress.update(task, description="moving averages", completed=fraction),
            )

        change = run_with_connection(work, url)
    out.print(f"{change.added:,} locations added, {change.moved:,} moved, {change.unchanged:,} unchanged.")
