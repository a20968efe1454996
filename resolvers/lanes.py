"""Lanes that a batch touched."""

from dataclasses import dataclass

from db.repositories import lanes
from domain.locations import Location
from resolvers.context import RequestContext


@dataclass(frozen=True, slots=True)
class LanePage:
    """One page of the lanes of a batch: position, origin and destination of each."""

    lanes: list[tuple[int, Location, Location]]
    has_next_page: bool


async def list_lanes(context: RequestContext, batch_id: int, *, first: int, after: int | None) -> LanePage:
    """Return a page of the lanes that an applied batch touched, ordered by port IDs."""
    rows = await context.app.pool.read(
        lambda connection: lanes.list_lanes(connection, batch_id, after=after or 0, limit=first + 1)
    )
    page = rows[:first]
    ids = sorted({port for entry in page for port in (entry.lane.origin, entry.lane.destination)})
    ports = dict(zip(ids, await context.loaders.location_by_id.load_many(ids), strict=True))
    ends = ((entry.position, ports[entry.lane.origin], ports[entry.lane.destination]) for entry in page)
    return LanePage(
        # No foreign key protects the ports of a lane, but locations are never deleted.
        [(position, origin, destination) for position, origin, destination in ends if origin and destination],
        has_next_page=len(rows) > first,
    )
