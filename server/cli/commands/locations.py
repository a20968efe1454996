"""`ratesgraph locations`: loads the region tree from files."""

from pathlib import Path

from ingest.tree import change_tree, read_ports, read_regions
from server.cli.console import open_database, out, read_settings, run_with_connection


def load(regions: Path | None, ports: Path | None, data_dir: Path | None) -> None:
    """Load one or both files as one change of the tree."""
    entries = [] if regions is None else read_regions(regions.read_bytes(), regions.name)
    entries += [] if ports is None else read_ports(ports.read_bytes(), ports.name)
    with open_database(read_settings(data_dir=data_dir)) as url:
        change = run_with_connection(lambda connection: change_tree(connection, entries), url)
    out.print(f"{change.added:,} locations added, {change.moved:,} moved, {change.unchanged:,} unchanged.")
