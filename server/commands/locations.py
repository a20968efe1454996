"""`ratesgraph locations`: the region tree from files."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.tree import change_tree, read_ports, read_regions
from server.console import DataDir, open_database, out, read_settings, run

app = typer.Typer(no_args_is_help=True, help="Load ports and regions.")


@app.callback()
def locations() -> None:
    """Load ports and regions."""


@app.command()
def load(
    regions: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV with slug,name,parent_slug.")
    ] = None,
    ports: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV with code,name,parent_slug.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Add or update regions and ports. What moves takes its prices' averages along; on an error nothing changes."""
    if regions is None and ports is None:
        raise typer.BadParameter("Give --regions, --ports or both.")
    entries = [] if regions is None else read_regions(regions.read_bytes(), regions.name)
    entries += [] if ports is None else read_ports(ports.read_bytes(), ports.name)
    with open_database(read_settings(data_dir=data_dir)) as url:
        change = run(lambda connection: change_tree(connection, entries), url)
    out.print(f"{change.added:,} locations added, {change.moved:,} moved, {change.unchanged:,} in place.")
