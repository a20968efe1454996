"""Sums and counts by day, read for all requests of a process together."""

from collections.abc import Sequence
from functools import partial

from db.outage import MAX_WAITING
from db.pool import Pool
from db.repositories import totals
from domain.locations import Lane
from domain.prices import DateRange, DayTotals
from resolvers.loading.coalescing_loader import Gathering
from resolvers.loading.traced_loader import TracedGathering
from telemetry import spans

LaneDays = tuple[Lane, DateRange]
Totals = Gathering[LaneDays, DayTotals]

AT_ONCE = 4
"""Round trips of a process that are on their way at any time. One keeps it as busy as four do (`bench http`); the others are
for those who would wait for what PostgreSQL has to fetch from its disk.
"""
MAX_TOGETHER = 100
"""Lanes of one round trip, so that nobody waits long for those of others."""


def gather_totals(pool: Pool) -> Totals:
    """Return what the requests of a process share."""
    options = {"at_once": AT_ONCE, "max_together": MAX_TOGETHER, "max_waiting": MAX_WAITING}
    load = partial(_load, pool)
    return Gathering(load, **options) if spans.tracer is None else TracedGathering("load totals", load, **options)


async def _load(pool: Pool, asked: Sequence[LaneDays]) -> Sequence[DayTotals]:
    return await pool.read(lambda connection: totals.select_day_totals(connection, asked))
