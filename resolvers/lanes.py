"""Which lanes a batch touched."""

from dataclasses import dataclass

from db.repositories import lanes
from domain.locations import Location
from resolvers.context import RequestContext


@dataclass(frozen=True, slots=True)
class LanePage:
    """One page of a batch's lanes: the position, the origin and the destination of each."""

    lanes: list[tuple[int, Location, Location]]
    has_next_page: bool


async def list_lanes(context: RequestContext, batch_id: int, *, first: int, after: int | None) -> LanePage:
    """Return a page of the lanes that an applied batch touched, in the order of their ports' ids."""
    found = await context.app.pool.read(
        lambda connection: lanes.list_lanes(connection, batch_id, after=after or 0, limit=first + 1)
    )
    page = found[:first]
    ids = sorted({port for entry in page for port in (entry.lane.origin, entry.lane.destination)})
    ports = dict(zip(ids, await context.loaders.location_by_id.load_many(ids), strict=True))
    ends = ((entry.position, ports[entry.lane.origin], ports[entry.lane.destination]) for entry in page)
    return LanePage(
        # No foreign key keeps the ports of a lane, but nothing ever removes a location.
        [(position, origin, destination) for position, origin, destination in ends if origin and destination],
        has_next_page=len(found) > first,
    )
