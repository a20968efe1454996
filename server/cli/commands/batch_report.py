"""Report of a batch on the console, shared by `prices load` and `prices upload`."""

from rich.table import Table
from rich.text import Text

from domain.batches import BatchOutcome, BatchStatus, Rejection
from server.cli.console import err, print_error, print_line

SHOWN_REJECTIONS = 20


def print_outcome(name: str, batch_id: int, outcome: BatchOutcome, rejections: list[Rejection]) -> None:
    """Print the first problems as a table and the result as one line."""
    item_count, rejected_count = outcome.item_count, outcome.rejected_count
    if outcome.status is not BatchStatus.APPLIED and not item_count and rejections:
        # No item could be read.
        print_error(f"{name}: {rejections[0].code}: {rejections[0].message}")
        return
    if rejections:
        table = Table("item", "field", "code", "message", "value", title=Text(f"{name}: the first problems"))
        for rejection in rejections:
            row = (rejection.item, rejection.field, rejection.code, rejection.message, rejection.value)
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        err.print(table, markup=False)
    if outcome.status is BatchStatus.APPLIED:
        print_line(
            f"{name}: batch {batch_id} applied, {outcome.accepted_count:,} of {item_count:,} items,"
            f" {outcome.price_day_count:,} daily prices."
        )
    else:
        print_error(
            f"{name}: rejected, {rejected_count:,} of {item_count:,} items are invalid;"
            " no price changed (--on-error skip skips them)."
        )
