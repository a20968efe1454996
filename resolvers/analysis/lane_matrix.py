"""Matrix of lanes: one average for every pair of some origins and destinations."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain.locations import Lane, Location
from domain.price_series import Figures
from resolvers.analysis.price_series import SeriesScale, load_markets, load_scale
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.locations import find_location, unknown_location

MAX_SIDE = 50
"""Maximum number of origins, and of destinations."""
LANES_PER_LOAD = 100
"""Lanes that are loaded together, so that other requests are served in between."""


@dataclass(frozen=True, slots=True)
class LaneMatrix:
    """Figures of every pair, with a single bucket each, row by row.

    There is a row per origin, and in it an entry per destination.
    """

    scale: SeriesScale
    origins: Sequence[Location]
    destinations: Sequence[Location]
    rows: Sequence[Sequence[Figures]]


async def lane_matrix(
    context: RequestContext,
    origins: Sequence[str],
    destinations: Sequence[str],
    *,
    date_from: date,
    date_to: date,
    minimum_sample: int,
    currency: str,
) -> LaneMatrix:
    """Return the matrix; all days of the range are one bucket.

    Raise RequestError (TOO_MANY_LOCATIONS, INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG, INVALID_SAMPLE, UNKNOWN_CURRENCY,
    UNKNOWN_LOCATION) or DatabaseError.
    """
    for argument, keys in (("origins", origins), ("destinations", destinations)):
        if len(keys) > MAX_SIDE:
            message = f"Too many {argument}: {len(keys)}, limit {MAX_SIDE}; send several requests."
            raise RequestError("TOO_MANY_LOCATIONS", message, argument=argument, maxLocations=MAX_SIDE)
    scale = await load_scale(context, date_from, date_to, None, minimum_sample, currency)
    starts, ends = await asyncio.gather(
        _find_all(context, "origins", origins), _find_all(context, "destinations", destinations)
    )
    lanes = [Lane(start.id, end.id) for start in starts for end in ends]
    parts = [lanes[at : at + LANES_PER_LOAD] for at in range(0, len(lanes), LANES_PER_LOAD)]
    loaded = await asyncio.gather(*(load_markets(context, part, scale) for part in parts))
    cells = [market.figures for markets in loaded for market in markets]
    width = len(ends)
    return LaneMatrix(scale, starts, ends, [cells[row * width : (row + 1) * width] for row in range(len(starts))])


async def _find_all(context: RequestContext, argument: str, keys: Sequence[str]) -> list[Location]:
    """Return the locations with these keys.

    Raise RequestError (UNKNOWN_LOCATION) for the first unknown one.
    """
    found = await asyncio.gather(*(find_location(context, key) for key in keys))
    for position, location in enumerate(found):
        if location is None:
            raise await unknown_location(context, f"{argument}.{position}", keys[position])
    return [location for location in found if location is not None]
