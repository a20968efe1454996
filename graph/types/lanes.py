"""Lanes: from one port to another, and the connection that lists those of a batch."""

import strawberry
from strawberry.relay import PageInfo

from domain.locations import Location as LocationModel
from graph.types.locations import Port
from graph.types.pagination import encode_cursor, to_page_info
from resolvers.lanes import LanePage


@strawberry.type(description="From one port to another.")
class Lane:
    origin: Port = strawberry.field(description="The port of departure.")
    destination: Port = strawberry.field(description="The port of arrival.")


@strawberry.type(description="A lane within a list, with its place in it.")
class LaneEdge:
    cursor: str = strawberry.field(description="Give this as `after` to go on behind the entry.")
    node: Lane = strawberry.field(description="The lane.")


@strawberry.type(description="A page of lanes.")
class LaneConnection:
    edges: list[LaneEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Whether and where the list goes on.")
    total_count: int = strawberry.field(description="How many lanes there are in all.")


def to_lane(origin: LocationModel, destination: LocationModel) -> Lane:
    """Return the lane as its GraphQL type."""
    return Lane(origin=Port(model=origin), destination=Port(model=destination))


def to_lane_connection(page: LanePage, *, after: str | None, total_count: int) -> LaneConnection:
    """Return the page as a Relay connection."""
    edges = [
        LaneEdge(cursor=encode_cursor("lane", position), node=to_lane(origin, destination))
        for position, origin, destination in page.lanes
    ]
    page_info = to_page_info([edge.cursor for edge in edges], has_next_page=page.has_next_page, after=after)
    return LaneConnection(edges=edges, page_info=page_info, total_count=total_count)
