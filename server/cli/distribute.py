"""`ratesgraph distribute`: options and help text."""

from typing import Annotated

import typer

from server.cli.options import DataDir, run_command


def distribute(
    shards: Annotated[int | None, typer.Option(help="Number of shards (default: 32).", min=1, max=1_024)] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Move the prices back to the coordinator.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Distribute observations and totals over the nodes of a Citus cluster.

    DATABASE_URL names the coordinator. Uploads and changes of the region tree wait until the command ends; queries wait for
    seconds. Tables that are distributed already stay as they are.
    """
    if undo and shards is not None:
        raise typer.BadParameter("Specify either --shards or --undo.")
    run_command("database.maintenance", "distribute", shards=shards, undo=undo, data_dir=data_dir)
