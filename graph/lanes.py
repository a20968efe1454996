"""Lanes: from one port to another."""

import strawberry

from db.model import Location as LocationModel
from graph.locations import Port


@strawberry.type(description="From one port to another.")
class Lane:
    origin: Port = strawberry.field(description="The port of departure.")
    destination: Port = strawberry.field(description="The port of arrival.")


def to_lane(origin: LocationModel, destination: LocationModel) -> Lane:
    """Return the lane as its GraphQL type."""
    return Lane(origin=Port(model=origin), destination=Port(model=destination))
