"""Lanes with prices, and the period of all prices."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from db.connection import Connection
from db.repositories import totals
from db.repositories.totals import LaneHistory, PricePeriod
from domain.locations import Lane, Location
from domain.pages import Page, PageRequest
from domain.prices import MIN_PRICES_FOR_STATISTICS
from resolvers.analysis.coverage import LaneCoverage, cover
from resolvers.context import RequestContext
from resolvers.locations import find_location, unknown_location

LANE_KEY_BITS = 31
"""Bits of a location ID, a positive `integer` of PostgreSQL. A cursor holds both IDs of a lane in one number."""


@dataclass(frozen=True, slots=True)
class PricedLane:
    """Lane of two ports with prices; a day is sufficient if it has an average."""

    origin: Location
    destination: Location
    coverage: LaneCoverage

    @property
    def cursor_id(self) -> int:
        """Number that stands for the lane in cursors; lanes are ordered by it."""
        return to_cursor_id(self.coverage.lane)


def to_cursor_id(lane: Lane) -> int:
    """Return the number of a lane in cursors."""
    return (lane.origin << LANE_KEY_BITS) + lane.destination


async def list_priced_lanes(
    context: RequestContext, origin: str | None, destination: str | None, request: PageRequest
) -> Page[PricedLane]:
    """Return a page of the lanes with prices between two locations, by IDs of their ports.

    None stands for all ports. Raise RequestError (UNKNOWN_LOCATION).
    """
    ends = [await _find_end(context, "origin", origin), await _find_end(context, "destination", destination)]

    async def select(connection: Connection) -> tuple[Page[Lane], list[LaneHistory]]:
        page = select_page(await totals.list_priced_lanes(connection, *ends), request)
        return page, await totals.select_lane_histories(connection, page.entries)

    page, histories = await context.app.pool.read(select)
    ids = sorted({port for lane in page.entries for port in lane})
    ports = dict(zip(ids, await context.loaders.location_by_id.load_many(ids), strict=True))
    entries = []
    for lane, history in zip(page.entries, histories, strict=True):
        start, end = ports[lane.origin], ports[lane.destination]
        # No foreign key protects the ports of a price, but locations are never deleted.
        if start is not None and end is not None:
            entries.append(PricedLane(start, end, cover(lane, history, MIN_PRICES_FOR_STATISTICS)))
    return Page(entries, page.has_previous_page, page.has_next_page, page.total_count)


def select_page(lanes: list[Lane], request: PageRequest) -> Page[Lane]:
    """Return the page of an ordered list of lanes; its cursors are numbers of lanes."""
    start = 0 if request.after is None else bisect_right(lanes, request.after, key=to_cursor_id)
    end = len(lanes) if request.before is None else bisect_left(lanes, request.before, key=to_cursor_id)
    end = max(start, end)
    first, last = (
        (max(start, end - request.size), end) if request.is_backward else (start, min(end, start + request.size))
    )
    return Page(lanes[first:last], first > 0, last < len(lanes), len(lanes))


async def _find_end(context: RequestContext, argument: str, key: str | None) -> int | None:
    if key is None:
        return None
    location = await find_location(context, key)
    if location is None:
        raise await unknown_location(context, argument, key)
    return location.id


async def price_period(context: RequestContext) -> PricePeriod:
    """Return the first and last day of all prices, and their number."""
    return await context.app.pool.read(totals.select_price_period)
