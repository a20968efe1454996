"""Lanes: pairs of an origin port and a destination port."""

import strawberry

from domain.locations import Location as LocationModel
from domain.pages import Page
from graph.relay.connections import Connection, to_connection
from graph.types.arguments import LOCATION_KEY
from graph.types.locations import Location, Port
from resolvers.lanes import NumberedLane


@strawberry.type(description="A pair of an origin port and a destination port.")
class Lane:
    origin: Port = strawberry.field(description="The port of departure.")
    destination: Port = strawberry.field(description="The port of arrival.")


@strawberry.type(description="A lane of a subscription: a port or region on either side.")
class SubscribedLane:
    origin: Location = strawberry.field(description="The origin, as subscribed.")
    destination: Location = strawberry.field(description="The destination, as subscribed.")


@strawberry.input(description="A lane: a port or region on either side.")
class LaneInput:
    origin: str = strawberry.field(description=LOCATION_KEY)
    destination: str = strawberry.field(description=LOCATION_KEY)


def to_lane(origin: LocationModel, destination: LocationModel) -> Lane:
    """Return the lane as its GraphQL type."""
    return Lane(origin=Port(model=origin), destination=Port(model=destination))


def to_lane_connection(page: Page[NumberedLane]) -> Connection[Lane]:
    """Return the page as a Relay connection."""
    lanes = ((position, to_lane(origin, destination)) for position, origin, destination in page.entries)
    return to_connection("lane", page, lanes)
