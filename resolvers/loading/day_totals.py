"""Sums and counts by day, read for all requests of a process together."""

from collections.abc import Sequence
from functools import partial

from db.outage import MAX_WAITING
from db.pool import Pool
from db.repositories import totals
from domain.locations import Lane
from domain.prices import DateRange, DayTotals
from resolvers.loading.coalescing_loader import CoalescingLoader
from resolvers.loading.traced_loader import TracedCoalescingLoader
from telemetry import spans

LaneDays = tuple[Lane, DateRange]
DayTotalsLoader = CoalescingLoader[LaneDays, DayTotals]

MAX_CONCURRENT_ROUND_TRIPS = 4
"""Round trips of a process that are on their way at any time. One keeps it as busy as four do (`bench http`); the others are
for those who would wait for what PostgreSQL has to fetch from its disk.
"""
MAX_LANES_PER_ROUND_TRIP = 100
"""Lanes of one round trip, so that nobody waits long for those of others."""


def create_day_totals_loader(pool: Pool) -> DayTotalsLoader:
    """Return what the requests of a process share."""
    options = {
        "max_concurrent": MAX_CONCURRENT_ROUND_TRIPS,
        "max_batch_size": MAX_LANES_PER_ROUND_TRIP,
        "max_waiting": MAX_WAITING,
    }
    load = partial(_load, pool)
    return (
        CoalescingLoader(load, **options)
        if spans.tracer is None
        else TracedCoalescingLoader("load totals", load, **options)
    )


async def _load(pool: Pool, asked: Sequence[LaneDays]) -> Sequence[DayTotals]:
    return await pool.read(lambda connection: totals.select_day_totals(connection, asked))
