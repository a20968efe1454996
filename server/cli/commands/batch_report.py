"""Report of a batch on the console, shared by `prices load` and `prices upload`."""

from rich.table import Column, Table
from rich.text import Text

from domain.batches import BatchOutcome, BatchStatus, Rejection, Severity
from server.cli.console import err, print_error, print_line, print_table

SHOWN_REJECTIONS = 20
"""Maximum number of problems in the table."""


def print_outcome(name: str, batch_id: int, outcome: BatchOutcome, rejections: list[Rejection]) -> None:
    """Print the notes about the file, the first problems as a table, and the result as one line."""
    item_count, rejected_count = outcome.item_count, outcome.rejected_count
    if outcome.status is not BatchStatus.APPLIED and not item_count and rejections:
        # No item could be read.
        print_error(f"{name}: {rejections[0].code}: {rejections[0].message}")
        return
    notes = [rejection for rejection in rejections if rejection.item is None and rejection.severity is Severity.WARNING]
    for note in notes:
        print_line(f"{name}: note: {note.message}.")
    problems = [rejection for rejection in rejections if rejection not in notes]
    if problems:
        table = Table(
            Column("item", no_wrap=True),
            "field",
            Column("code", no_wrap=True),
            "message",
            "value",
            title=Text(f"{name}: {_title(len(problems))}"),
        )
        for rejection in problems:
            row = (rejection.item, rejection.field, rejection.code, rejection.message, rejection.value)
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        print_table(table, err)
    if outcome.status is BatchStatus.APPLIED:
        print_line(
            f"{name}: batch {batch_id} applied, {outcome.accepted_count:,} of {item_count:,} items,"
            f" {outcome.price_day_count:,} daily prices."
        )
    else:
        advice = "no item is valid" if rejected_count == item_count else "--on-error skip skips them"
        print_error(
            f"{name}: rejected, {rejected_count:,} of {item_count:,} items are invalid; no price changed ({advice})."
        )


def _title(problem_count: int) -> str:
    return "problems" if problem_count < SHOWN_REJECTIONS else f"the first {problem_count} problems"
