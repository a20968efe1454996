"""Coverage: on which days a lane has prices, and on which too few."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from db.repositories import totals
from db.repositories.totals import LaneHistory
from domain.locations import Lane
from domain.prices import DateRange
from resolvers.analysis.price_series import check_minimum_sample
from resolvers.context import RequestContext
from resolvers.locations import resolve_lane

MAX_GAPS = 500
"""Maximum number of gaps in an answer."""


@dataclass(frozen=True, slots=True)
class LaneCoverage:
    """Days with prices of a lane.

    A gap is a run of days below the minimum sample between the first and the last day with a price.

    Attributes:
        days: From the first to the last day with a price; None without any price.
        gaps: The first MAX_GAPS gaps, in order; `gap_count` counts all.
    """

    lane: Lane
    days: DateRange | None
    price_count: int
    priced_days: int
    sufficient_days: int
    gap_count: int
    gaps: Sequence[DateRange]


async def lane_coverage(context: RequestContext, origin: str, destination: str, minimum_sample: int) -> LaneCoverage:
    """Return the coverage of a lane. Raise RequestError (INVALID_SAMPLE, UNKNOWN_LOCATION)."""
    check_minimum_sample(minimum_sample)
    lane = await resolve_lane(context, origin, destination)
    [history] = await context.reads.read(lambda connection: totals.select_lane_histories(connection, [lane]))
    # Decades of days take some milliseconds.
    return await asyncio.to_thread(cover, lane, history, minimum_sample)


def cover(lane: Lane, history: LaneHistory, minimum_sample: int) -> LaneCoverage:
    """Return the coverage of a lane from its numbers of prices by day."""
    counts, days = history.counts, find_priced_days(history)
    if days is None:
        return LaneCoverage(lane, None, 0, 0, 0, 0, ())
    first, last = (days.first - history.first_day).days, (days.last - history.first_day).days
    gaps: list[DateRange] = []
    gap_count, start = 0, None
    for offset in range(first, last + 2):
        is_gap = offset <= last and counts[offset] < minimum_sample
        if is_gap and start is None:
            start = offset
        elif not is_gap and start is not None:
            gap_count += 1
            if len(gaps) < MAX_GAPS:
                gaps.append(_range(history.first_day, start, offset - 1))
            start = None
    return LaneCoverage(
        lane,
        days,
        sum(counts),
        sum(map(bool, counts)),
        sum(count >= minimum_sample for count in counts),
        gap_count,
        gaps,
    )


def find_priced_days(history: LaneHistory) -> DateRange | None:
    """Return the days from the first to the last one with a price, or None without prices."""
    counts = history.counts
    first = next((offset for offset, count in enumerate(counts) if count), None)
    if first is None:
        return None
    last = next(offset for offset in reversed(range(len(counts))) if counts[offset])
    return _range(history.first_day, first, last)


def _range(day: date, first: int, last: int) -> DateRange:
    return DateRange(day + timedelta(days=first), day + timedelta(days=last))
