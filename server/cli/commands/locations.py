"""`ratesgraph locations`: loads the region tree from files."""

from functools import partial
from pathlib import Path

from db.connection import Connection
from domain.locations import TreeChange, TreeEntry
from ingest.location_files import read_ports, read_regions
from ingest.tree import change_tree
from server.cli.console import (
    open_database,
    out,
    print_line,
    progress_bar,
    read_settings,
    require_room,
    run_with_connection,
)


def load(regions: Path | None, ports: Path | None, data_dir: Path | None, *, large: bool) -> None:
    """Load one or both files as one change of the tree.

    With `large`, it may move any number of lane-months.
    """
    entries = list[TreeEntry]()
    for path, read in ((regions, read_regions), (ports, read_ports)):
        if path is not None:
            with path.open("rb") as file:
                entries += read(file, path.name, partial(_print_note, path.name))
    settings = read_settings(data_dir=data_dir)
    max_moved_rows = None if large else settings.max_moved_lane_months
    with open_database(settings) as url, progress_bar() as progress:
        require_room(settings, url, "The tree was not changed")
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


def _print_note(name: str, note: str) -> None:
    print_line(f"{name}: note: {note}.")
