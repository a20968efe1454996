"""Rejection report: the problems of a batch as CSV, each next to its item as uploaded.

The lines can be corrected and sent again. Problems are read from the database page by page and items from the payload slice
by slice, both in the order of the items. So a report needs bounded memory, and holds a connection only while it reads.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack

import polars as pl

from db.pool import Pool
from db.repositories import batches
from ingest.batches.validation import REJECTION_SCHEMA, sanitize_text
from ingest.errors import FileRejected
from ingest.readers.payload import open_payload
from ingest.readers.price_file import ITEM_COLUMNS, Slice, read_slices

REPORT_COLUMNS = ("item", "severity", "field", "code", "message", "value", *ITEM_COLUMNS)
LINE_END = "\r\n"
PAGE_ROWS = 20_000
"""Rejections per page: a few megabytes."""
NO_ITEMS = pl.DataFrame(schema={"item": pl.UInt32, **dict.fromkeys(ITEM_COLUMNS, pl.String)})
FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


async def report_rejections(pool: Pool, batch_id: int) -> AsyncGenerator[bytes]:
    """Yield the report of a batch that has ended, as RFC 4180 CSV.

    A header is followed by one line per rejection. The columns are REPORT_COLUMNS. The item's columns are empty if its
    payload has expired, or if the problem concerns the whole file. Raise DatabaseError.
    """
    yield (",".join(REPORT_COLUMNS) + LINE_END).encode()
    after, originals = 0, None
    async with AsyncExitStack() as stack:
        while True:
            async with pool.connection() as connection:
                page = await batches.export_rejections(connection, batch_id, after=after, last=after + PAGE_ROWS)
            if page is None:
                return
            problems = await asyncio.to_thread(_read_page, page)
            if originals is None and not problems["item"].is_null().all():
                originals = await _open_originals(stack, pool, batch_id)
            yield await asyncio.to_thread(_to_csv, problems, originals or Originals(iter(())))
            after += PAGE_ROWS


class Originals:
    """Items of a payload as uploaded, read lazily in order."""

    def __init__(self, slices: Iterator[Slice]) -> None:
        self._slices = slices
        self._items = NO_ITEMS

    def original_line_for(self, problems: pl.DataFrame) -> pl.DataFrame:
        """Return the problems, each with the ITEM_COLUMNS of its item as uploaded.

        The problems of all calls must be sorted by item, those without an item first, because the payload is read once.
        """
        of_the_file = problems.filter(pl.col("item").is_null())
        parts = [of_the_file.join(NO_ITEMS, on="item", how="left")]
        problems = problems.slice(len(of_the_file))
        while len(problems):
            items = self._read_to(problems["item"][0])
            count = problems["item"].search_sorted(items["item"][-1], side="right") if len(items) else len(problems)
            parts.append(problems.head(count).join(items, on="item", how="left", maintain_order="left"))
            problems = problems.slice(count)
        return pl.concat(parts)

    def _read_to(self, item: int) -> pl.DataFrame:
        """Return the first slice that ends at or after the item, or no items if there is none."""
        try:
            while not len(self._items) or self._items["item"][-1] < item:
                self._items = next(self._slices).items
        except (StopIteration, FileRejected):
            # If the payload ends here or becomes unreadable, no later item has problems.
            self._slices, self._items = iter(()), NO_ITEMS
        return self._items


async def _open_originals(stack: AsyncExitStack, pool: Pool, batch_id: int) -> Originals:
    """Return the items of the batch's payload, which the stack closes."""
    try:
        async with pool.connection() as connection:
            file, file_format = await stack.enter_async_context(open_payload(connection, batch_id))
    except FileRejected:
        # The payload has expired.
        return Originals(iter(()))
    return Originals(read_slices(file, file_format))


def _read_page(page: bytes) -> pl.DataFrame:
    return pl.read_ndjson(page, schema=REJECTION_SCHEMA)


def _to_csv(problems: pl.DataFrame, originals: Originals) -> bytes:
    text = io.BytesIO()
    lines = originals.original_line_for(problems).select(
        *REPORT_COLUMNS[:4],
        *(_escape_csv_formula(pl.col(name)).alias(name) for name in ("message", "value")),
        *(_escape_csv_formula(sanitize_text(pl.col(name))).alias(name) for name in ITEM_COLUMNS),
    )
    lines.write_csv(text, include_header=False, line_terminator=LINE_END)
    return text.getvalue()


def _escape_csv_formula(text: pl.Expr) -> pl.Expr:
    """Prefix an apostrophe to text that a spreadsheet would run as a formula (CSV injection).

    Numbers may begin with a sign and stay unchanged, because negative prices are legal. No other valid value of an item begins
    with these characters, so correcting and resending the lines loses nothing.
    """
    return pl.when(text.str.contains(FORMULA) & ~text.str.contains(NUMBER)).then("'" + text).otherwise(text)
