"""Lanes that a batch touched."""

from db.repositories import lanes
from domain.locations import Location
from domain.pages import Page, PageRequest
from resolvers.context import RequestContext

NumberedLane = tuple[int, Location, Location]
"""Position, origin and destination of a lane of a batch."""


async def list_lanes(
    context: RequestContext, batch_id: int, request: PageRequest, *, total_count: int
) -> Page[NumberedLane]:
    """Return a page of the lanes that an applied batch touched, ordered by port IDs."""
    start, end = request.window(total_count)
    rows = await context.app.pool.read(
        lambda connection: lanes.list_lanes(connection, batch_id, after=start, limit=end - start)
    )
    ids = sorted({port for entry in rows for port in (entry.lane.origin, entry.lane.destination)})
    ports = dict(zip(ids, await context.loaders.location_by_id.load_many(ids), strict=True))
    ends = ((entry.position, ports[entry.lane.origin], ports[entry.lane.destination]) for entry in rows)
    return Page(
        # No foreign key protects the ports of a lane, but locations are never deleted.
        [(position, origin, destination) for position, origin, destination in ends if origin and destination],
        has_previous_page=start > 0,
        has_next_page=end < total_count,
        total_count=total_count,
    )
