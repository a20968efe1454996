"""Applies a batch: one transaction appends its observations and its totals and says what became of it.

Everything that takes Python time runs in threads, so the event loop only moves bytes; the observations travel to the
database while their totals are being added up.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from db import batches, locations, prices, rates, totals
from db.model import BatchOutcome, BatchStatus, DateRange, Location, OnError, Severity
from db.pool import Connection
from ingest.aggregate import LaneDays, total_by_month
from ingest.convert import MAX_RATE_AGE_DAYS, UNIX_EPOCH, Converted, ExchangeRates, convert_to_usd
from ingest.encode import copy_stream, encode_prices, encode_totals
from ingest.items import CheckedItems, check_items

CURRENCY = re.compile(r"[A-Z]{3}")
"""The form of an ISO 4217 code; no other text needs to reach the database."""
Report = Callable[[str], None]
"""Is told which stage of the work begins."""


def stay_quiet(_stage: str) -> None:
    """Report to nobody."""


async def apply_items(
    connection: Connection, batch_id: int, items: pl.DataFrame, on_error: OnError, report: Report = stay_quiet
) -> BatchOutcome:
    """Append the observations and totals of the items, or only their rejections, within the caller's transaction."""
    await locations.share_tree(connection)
    tree = await locations.list_locations(connection)
    report("checking")
    checked = await asyncio.to_thread(check_items, items, tree)
    converted = await _convert(connection, checked)
    rejections = pl.concat([checked.rejections, converted.rejections])
    await copy_rejections(connection, batch_id, rejections)
    rejected = rejections.filter(pl.col("severity") == Severity.ERROR.value)["item"].n_unique()
    if rejected and (on_error is OnError.REJECT_BATCH or rejected == len(items)):
        return BatchOutcome(BatchStatus.REJECTED, len(items), 0, rejected)
    report("storing prices")
    observations = await asyncio.to_thread(sort_by_lane, converted.observations)
    adding_up = asyncio.ensure_future(asyncio.to_thread(_add_up, observations, tree))
    await prices.copy_prices(connection, copy_stream(encode_prices(batch_id, observations)))
    report("storing averages")
    await totals.copy_totals(connection, copy_stream(await adding_up))
    days = int((observations["last_day"] - observations["first_day"]).cast(pl.Int64).sum()) + len(observations)
    return BatchOutcome(BatchStatus.APPLIED, len(items), len(items) - rejected, rejected, len(observations), days)


def sort_by_lane(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the observations by lane and day: appended in the order of the lane index they cost half as much."""
    lane_day = pl.col("origin").cast(pl.Int64) * 2**20 + pl.col("destination")
    order = observations.select((lane_day * 2**17 + pl.col("first_day")).arg_sort()).to_series()
    return observations[order]


def _add_up(observations: pl.DataFrame, tree: list[Location]) -> list[npt.NDArray[np.void]]:
    columns = (
        observations[name].to_numpy() for name in ("origin", "destination", "first_day", "last_day", "usd_cents")
    )
    return list(encode_totals(total_by_month(LaneDays(*columns), tree)))


async def _convert(connection: Connection, checked: CheckedItems) -> Converted:
    """Convert the valid items at the rates that their days need. Only the database is asked."""
    items = checked.valid
    currencies = [code for code in items["currency"].unique().sort() if code != "USD" and CURRENCY.fullmatch(code)]
    exchange, known = ExchangeRates({}, 0), set[str]()
    if currencies:
        known = await rates.find_currencies(connection, currencies)
        newest = await rates.find_latest_rate_day(connection)
        last = UNIX_EPOCH + timedelta(days=int(items["last_day"].max()))  # type: ignore[arg-type]
        first = UNIX_EPOCH + timedelta(days=int(items["first_day"].min()))  # type: ignore[arg-type]
        reach = min(first, newest or first) - timedelta(days=MAX_RATE_AGE_DAYS)
        exchange = ExchangeRates.from_rows(
            await rates.list_rates(connection, sorted(known), DateRange(reach, last)), newest
        )
    return await asyncio.to_thread(convert_to_usd, items, exchange, known)


async def copy_rejections(connection: Connection, batch_id: int, rejections: pl.DataFrame) -> None:
    """Store the problems of a batch, numbered by item."""
    if len(rejections):
        numbered = rejections.sort("item", nulls_last=False, maintain_order=True).with_row_index("number", offset=1)
        lines = numbered.select(pl.lit(batch_id), "number", "item", "field", "code", "severity", "message", "value")
        text = await asyncio.to_thread(lines.write_csv, include_header=False)
        await batches.copy_rejections(connection, [text.encode()])
