"""Lanes with prices, and the period of all prices."""

import asyncio
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from db.connection import Connection
from db.repositories import locations, prices, totals
from db.repositories.totals import LaneHistory, PricePeriod
from domain.locations import Lane, Location, LocationKind
from domain.pages import Page, PageRequest
from domain.prices import MIN_PRICES_FOR_STATISTICS, DateRange
from resolvers.analysis.coverage import find_priced_days
from resolvers.context import RequestContext
from resolvers.locations import find_location, unknown_location

LANE_KEY_BITS = 31
"""Bits of a location ID, a positive `integer` of PostgreSQL. A cursor holds both IDs of a lane in one number."""


@dataclass(frozen=True, slots=True)
class PricedLane:
    """Lane of two ports with prices.

    `days` are those from the first to the last price, `average_days` is the number of days with an average.
    """

    lane: Lane
    origin: Location
    destination: Location
    days: DateRange | None
    average_days: int

    @property
    def cursor_id(self) -> int:
        """Number that stands for the lane in cursors; lanes are ordered by it."""
        return to_cursor_id(self.lane)


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
        page = select_page(await _list_lanes(connection, *ends), request)
        return page, await totals.select_lane_histories(connection, page.entries)

    page, histories = await context.reads.read(select)
    ids = sorted({port for lane in page.entries for port in lane})
    ports = dict(zip(ids, await context.loaders.location_by_id.load_many(ids), strict=True))
    # A page has up to some hundred thousand days.
    periods = await asyncio.to_thread(lambda: [_summarize(history) for history in histories])
    entries = []
    for lane, period in zip(page.entries, periods, strict=True):
        start, end = ports[lane.origin], ports[lane.destination]
        # No foreign key protects the ports of a price, but locations are never deleted.
        if start is not None and end is not None:
            entries.append(PricedLane(lane, start, end, *period))
    return Page(entries, page.has_previous_page, page.has_next_page, page.total_count)


async def _list_lanes(connection: Connection, origin: int | None, destination: int | None) -> list[Lane]:
    """Return the lanes with prices between two locations; None stands for all ports."""
    ends = [end for end in (origin, destination) if end is not None]
    ports = await locations.list_port_ids(connection, ends) if ends else {}
    if origin is None:
        tree = await locations.list_locations(connection)
        origins = [location.id for location in tree if location.kind is LocationKind.PORT]
    else:
        origins = ports.get(origin, [])
    destinations = None if destination is None else frozenset(ports.get(destination, []))
    stored = await totals.list_priced_lanes(connection, origins, destinations)
    # A lane that is archived in between is in both lists.
    archived = await prices.list_archived_lanes(connection, origins)
    if not archived:
        return stored
    return sorted({*stored, *(lane for lane in archived if destinations is None or lane.destination in destinations)})


def _summarize(history: LaneHistory) -> tuple[DateRange | None, int]:
    """Return the days from the first to the last price, and the number of days with an average."""
    return find_priced_days(history), sum(count >= MIN_PRICES_FOR_STATISTICS for count in history.counts)


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
    return await context.reads.read(totals.select_price_period)
