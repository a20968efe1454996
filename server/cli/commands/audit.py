"""`ratesgraph audit`: the audit trail."""

from datetime import UTC, datetime
from pathlib import Path

from rich.table import Column, Table

from db.repositories import audit
from server.cli.console import open_database, print_table, read_settings, run_with_connection


def show(since: datetime | None, limit: int, data_dir: Path | None) -> None:
    """Print up to `limit` entries since a time, newest first. Times are UTC."""
    start = None if since is None else since.replace(tzinfo=UTC)
    with open_database(read_settings(data_dir=data_dir)) as url:
        entries = run_with_connection(lambda connection: audit.list_entries(connection, since=start, limit=limit), url)
    table = Table(Column("time (UTC)", no_wrap=True), "caller", "action", Column("batch", no_wrap=True), "detail")
    for entry in entries:
        batch = "" if entry.batch_id is None else str(entry.batch_id)
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.caller, entry.action, batch, entry.detail)
    print_table(table)
