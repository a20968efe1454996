"""Time of a batch by stage, each measured alone. In a real apply some stages overlap."""

import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

from bench.data.database import clear_prices
from bench.ingest.copy_baseline import BATCH_ID, copy_binary, iterate_chunks, read_items
from bench.scale import time_call
from db.connection import Connection
from db.repositories import locations, sketches, totals
from ingest.batches.aggregation import totals_by_month
from ingest.batches.copy_encoding import encode_prices, encode_totals
from ingest.batches.currency_conversion import ExchangeRates, convert_to_usd
from ingest.batches.pipeline import sort_by_lane
from ingest.batches.validation import check_items
from ingest.observations.copy_stream import copy_stream
from ingest.observations.lane_days import to_lane_days
from ingest.sketches.build import sketches_by_month
from ingest.sketches.copy_encoding import encode_sketch_rows

T = TypeVar("T")


async def measure_stages(connection: Connection, data: bytes, rounds: int) -> dict[str, float]:
    """Return the median seconds of each stage of applying the CSV, in execution order."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        await _measure_once(connection, data, seconds)
    return {stage: median(times) for stage, times in seconds.items()}


async def _measure_once(connection: Connection, data: bytes, seconds: dict[str, list[float]]) -> None:
    def timed(stage: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        outcome = work()
        seconds.setdefault(stage, []).append(time.perf_counter() - start)
        return outcome

    tree = await locations.list_locations(connection)
    items = timed("read", lambda: read_items(data))
    checked = timed("check", lambda: check_items(items, tree))
    converted = timed("convert", lambda: convert_to_usd(checked.valid, ExchangeRates({}, 0), set()))
    observations = timed("sort", lambda: sort_by_lane(converted.observations))
    lane_days = to_lane_days(observations)
    month_totals = timed("aggregate", lambda: list(totals_by_month(lane_days, tree)))
    price_rows = timed("encode prices", lambda: list(encode_prices(BATCH_ID, observations)))
    total_rows = timed("encode totals", lambda: list(encode_totals(month_totals, as_changes=True)))
    sketch_rows = timed("build sketches", lambda: list(encode_sketch_rows(sketches_by_month(lane_days, tree))))
    price_chunks = [chunk async for chunk in copy_stream(price_rows)]
    total_chunks = [chunk async for chunk in copy_stream(total_rows)]

    sketch_chunks = [chunk async for chunk in copy_stream(sketch_rows)]

    async def copy_totals() -> None:
        async with connection.transaction():
            await totals.copy_totals(connection, iterate_chunks(total_chunks))

    async def copy_sketches() -> None:
        async with connection.transaction():
            await sketches.copy_sketches(connection, iterate_chunks(sketch_chunks))

    await clear_prices(connection)
    seconds.setdefault("COPY prices", []).append(await time_call(lambda: copy_binary(connection, price_chunks)))
    seconds.setdefault("COPY totals", []).append(await time_call(copy_totals))
    seconds.setdefault("COPY sketches", []).append(await time_call(copy_sketches))
