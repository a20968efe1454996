"""`ratesgraph locations`: loads the region tree and the aliases of locations from files."""

from functools import partial
from pathlib import Path

from db.connection import Connection
from domain.locations import TreeChange, TreeEntry
from ingest.location_aliases import AliasChange, AliasEntry, change_aliases
from ingest.location_files import read_aliases, read_ports, read_regions
from ingest.tree import change_tree
from server.cli.console import (
    counted,
    open_database,
    out,
    print_line,
    progress_bar,
    read_settings,
    require_room,
    run_with_connection,
)


def load(regions: Path | None, ports: Path | None, aliases: Path | None, data_dir: Path | None, *, large: bool) -> None:
    """Load the files as one change.

    With `large`, it may move any number of lane-months.
    """
    entries = list[TreeEntry]()
    for path, read in ((regions, read_regions), (ports, read_ports)):
        if path is not None:
            with path.open("rb") as file:
                entries += read(file, path.name, partial(_print_note, path.name))
    alias_entries = list[AliasEntry]()
    if aliases is not None:
        with aliases.open("rb") as file:
            alias_entries = read_aliases(file, aliases.name, partial(_print_note, aliases.name))
    settings = read_settings(data_dir=data_dir)
    max_moved_rows = None if large else settings.max_moved_lane_months
    with open_database(settings) as url, progress_bar() as progress:
        require_room(settings, url, "The tree was not changed")
        task = progress.add_task("changing the tree", total=1.0)

        async def work(connection: Connection) -> tuple[TreeChange | None, AliasChange | None]:
            alias_change: AliasChange | None = None

            async def load_aliases(connection: Connection) -> None:
                nonlocal alias_change
                if alias_entries:
                    alias_change = await change_aliases(connection, alias_entries)

            if not entries:
                await load_aliases(connection)
                return None, alias_change
            change = await change_tree(
                connection,
                entries,
                max_moved_rows=max_moved_rows,
                report=lambda part: progress.update(task, description="moving averages", completed=part),
                before_commit=load_aliases,
            )
            return change, alias_change

        change, names = run_with_connection(work, url)
    if change is not None:
        out.print(f"{counted(change.added, 'location')} added, {change.moved:,} moved, {change.unchanged:,} unchanged.")
    if names is not None:
        print_line(
            f"{counted(names.added, 'alias', 'es')} added, {names.changed:,} changed, {names.removed:,} removed,"
            f" {names.unchanged:,} unchanged."
        )


def _print_note(name: str, note: str) -> None:
    print_line(f"{name}: note: {note}.")
