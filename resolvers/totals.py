"""Sums and counts by day, read for all requests of a process together."""

from collections.abc import Sequence
from functools import partial

from db import spans, totals
from db.model import DateRange, DayTotals, Lane
from db.pool import Pool
from resolvers.gathering import Gathering
from resolvers.traced_gathering import TracedGathering

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
    load = partial(_load, pool)
    if spans.tracer is not None:
        return TracedGathering("load totals", load, at_once=AT_ONCE, max_together=MAX_TOGETHER)
    return Gathering(load, at_once=AT_ONCE, max_together=MAX_TOGETHER)


async def _load(pool: Pool, asked: Sequence[LaneDays]) -> Sequence[DayTotals]:
    async with pool.connection() as connection:
        return await totals.select_day_totals(connection, asked)
