"""Pipeline that turns a batch's items into observations and rejections, slice by slice.

Nothing is stored here. A slice is read and validated in a thread while the caller processes the one before it. The
conversion then needs a query of the exchange rates, on the caller's connection.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import numpy as np
import polars as pl
from polars.exceptions import PanicException

from db.connection import Connection
from db.repositories import locations, rates
from domain.batch_size import SHORT_ITEM_DAYS, BatchLimits, BatchSize
from domain.batches import Severity
from domain.locations import Location
from domain.prices import DateRange
from ingest.batches.currency_conversion import UNIX_EPOCH, Converted, ExchangeRates, convert_to_usd
from ingest.batches.suggestions import Alias, PortAliases, PortSuggestions
from ingest.batches.validation import CheckedItems, check_items, file_rejection, line_rejections
from ingest.errors import FileRejected
from ingest.observations.lane_days import month_of
from ingest.readers.prefetch import prefetch
from ingest.readers.price_file import Slice

T = TypeVar("T")

MAX_ROWS = 1_000_000
"""Observations per conversion step.

An item in a foreign currency may become one observation per day.
"""


@dataclass(frozen=True, slots=True)
class ProcessedSlice:
    """Consecutive items of a batch: their number, rejections and observations.

    The rejections are sorted by item, the observations by lane. `fraction_read` (0 to 1) is the fraction of the input read
    so far. The columns are those of `Converted` and REJECTION_SCHEMA.
    """

    fraction_read: float
    items: int
    rejections: pl.DataFrame
    observations: pl.DataFrame

    @property
    def rejected(self) -> int:
        """Number of invalid items."""
        return self.rejections.filter(pl.col("severity") == Severity.ERROR.value)["item"].n_unique()


async def process_slices(
    connection: Connection, slices: Iterator[Slice], tree: list[Location], limits: BatchLimits
) -> AsyncGenerator[ProcessedSlice]:
    """Yield the processed slices in order.

    Close the generator with `aclosing`. Raise FileRejected as `read_slices` does, and for a batch that exceeds the limits
    (BATCH_TOO_LARGE). The slice that exceeds them and those after it are not yielded.
    """
    aliases = await locations.list_aliases(connection)
    async with aclosing(prefetch(_reject_panics(check_slices(slices, tree, limits, aliases)))) as parts:
        async for fraction, items, checked in parts:
            converted = await _convert(connection, checked)
            rejections = pl.concat([checked.rejections, converted.rejections])
            if len(rejections):
                rejections = rejections.sort("item", maintain_order=True)
            observations = await asyncio.to_thread(sort_by_lane, converted.observations)
            yield ProcessedSlice(fraction, items, rejections, observations)


def _reject_panics(parts: Iterator[T]) -> Iterator[T]:
    """Yield the parts. Raise FileRejected (BROKEN_FILE) for a value at which polars panics.

    PanicException is not an Exception: it would pass the handlers of a request or command. Reading the value again would
    panic again. polars itself writes the place of the panic to standard error.
    """
    try:
        yield from parts
    except PanicException as error:
        raise FileRejected(
            "BROKEN_FILE", "the file contains a value that cannot be processed; split the file to find it"
        ) from error


def check_slices(
    slices: Iterator[Slice], tree: Iterable[Location], limits: BatchLimits, aliases: Sequence[Alias] = ()
) -> Iterator[tuple[float, int, CheckedItems]]:
    """Yield (fraction read, item count, checked items), split at about MAX_ROWS observations.

    Raise FileRejected (BATCH_TOO_LARGE) instead of the slice with which the batch exceeds the limits.
    """
    size, tree = BatchSize(limits), list(tree)
    check = partial(
        check_items, locations=tree, suggestions=PortSuggestions(tree, aliases), aliases=PortAliases(tree, aliases)
    )
    for piece in slices:
        checked = _check_slice(piece, check)
        _add_long_items(size, checked.valid)
        if (excess := size.describe_excess()) is not None:
            raise FileRejected("BATCH_TOO_LARGE", excess)
        cuts = _split_points(checked.valid)
        if not cuts:
            yield piece.fraction_read, len(piece.items), checked
            continue
        after, end = 0, int(piece.items["item"].max())  # type: ignore[arg-type]
        for last in [*cuts, end]:
            # The warnings about the file, which have no item, belong to the first part.
            within = pl.col("item").is_between(after + 1, last).fill_null(after == 0)
            count = piece.items.select(within.sum()).item()
            yield (
                piece.fraction_read * last / end,
                count,
                CheckedItems(checked.valid.filter(within), checked.rejections.filter(within)),
            )
            after = last


def _check_slice(piece: Slice, check: Callable[[pl.DataFrame], CheckedItems]) -> CheckedItems:
    """Validate a slice, with the problems and the note of its reader."""
    if not len(piece.problems) and piece.note is None:
        return check(piece.items)
    readable = piece.items.join(piece.problems, on="item", how="anti", maintain_order="left")
    checked = check(readable)
    notes = [] if piece.note is None else [file_rejection(*piece.note, Severity.WARNING)]
    return CheckedItems(checked.valid, pl.concat([*notes, line_rejections(piece.problems), checked.rejections]))


def _add_long_items(size: BatchSize, valid: pl.DataFrame) -> None:
    """Count the valid items of a slice that are valid for more than one day."""
    days = valid["last_day"] - valid["first_day"] + 1
    is_long = days > SHORT_ITEM_DAYS
    if not is_long.any():
        return
    long = valid.filter(is_long)
    first_month, last_month = (month_of(long[name].to_numpy()).astype(np.int64) for name in ("first_day", "last_day"))
    months = last_month - first_month + 1
    lane = long["origin"].to_numpy().astype(np.int64) * 2**24 + long["destination"].to_numpy()
    # One number per item and month: 24 bits for each port, 11 for the month.
    month = np.arange(months.sum()) - np.repeat(np.cumsum(months) - months - first_month, months)
    lane_months = pl.Series(np.repeat(lane, months) * 2**11 + month)
    size.add(int(days.filter(is_long).sum()), lane_months.unique().to_list())


def _split_points(valid: pl.DataFrame) -> list[int]:
    """Return the items after which to split.

    An item in US dollars is one observation, an item in another currency up to one per day.
    """
    foreign = valid["currency"] != "USD"
    if not foreign.any():
        return []
    days = np.where(foreign.to_numpy(), (valid["last_day"] - valid["first_day"]).to_numpy(), 0) + 1
    number = np.cumsum(days, dtype=np.int64) // MAX_ROWS
    return valid["item"].to_numpy()[np.flatnonzero(np.diff(number))].tolist()  # type: ignore[no-any-return]


async def _convert(connection: Connection, checked: CheckedItems) -> Converted:
    """Convert the valid items at the rates of their days, which are read from the database."""
    items = checked.valid
    foreign = await asyncio.to_thread(_find_foreign, items["currency"])
    newest_days = await rates.list_currencies(connection) if foreign else {}
    exchange, known = ExchangeRates({}, 0), foreign & newest_days.keys()
    if known:
        newest = max(newest_days.values())
        last = UNIX_EPOCH + timedelta(days=int(items["last_day"].max()))  # type: ignore[arg-type]
        first = UNIX_EPOCH + timedelta(days=int(items["first_day"].min()))  # type: ignore[arg-type]
        days = rates.days_to_read(DateRange(first, last), newest)
        found = await rates.list_rates(connection, sorted(known), days)
        exchange = await asyncio.to_thread(ExchangeRates.from_rows, found, newest)
    return await asyncio.to_thread(convert_to_usd, items, exchange, set(newest_days))


def _find_foreign(currencies: pl.Series) -> set[str]:
    """Return the currencies other than US dollars."""
    return set(currencies.unique()) - {"USD"}


def sort_by_lane(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the observations sorted by lane and day.

    Appending them in the order of the lane index costs half as much.
    """
    lane_day = pl.col("origin").cast(pl.Int64) * 2**20 + pl.col("destination")
    order = observations.select((lane_day * 2**17 + pl.col("first_day")).arg_sort()).to_series()
    return observations[order]
