"""Ports and regions, and the interface that both implement."""

from typing import Annotated

import strawberry

from domain.locations import Location as LocationModel
from domain.pages import Page
from graph.relay.connections import Connection, to_connection
from graph.relay.nodes import Node
from graph.types.arguments import Info
from graph.types.enums import LocationKind
from resolvers.relay.global_ids import encode_location_id


@strawberry.interface(description="An origin or destination of prices: a port or a region of the region tree.")
class Location(Node):
    """Fields that ports and regions share."""

    model: strawberry.Private[LocationModel]

    @strawberry.field(
        description="The global ID; it does not change when the location moves or is renamed. Pass it to `node`."
    )
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_location_id(self.model))

    @strawberry.field(
        description="The code of a port or the slug of a region, as accepted by arguments such as `averagePrices(origin:)`."
    )
    def key(self) -> str:
        return self.model.key

    @strawberry.field(description="The display name, such as `Shanghai`.")
    def name(self) -> str:
        return self.model.name

    @strawberry.field(description="The parent region; null for a root of the tree.")
    async def parent(self, info: Info) -> Annotated["Region", strawberry.lazy("graph.types.locations")] | None:
        if self.model.parent_id is None:
            return None
        parent = await info.context.loaders.location_by_id.load(self.model.parent_id)
        return None if parent is None else Region(model=parent)

    @strawberry.field(description="All regions above this location, nearest first.")
    async def ancestors(self, info: Info) -> list[Annotated["Region", strawberry.lazy("graph.types.locations")]] | None:
        return [Region(model=ancestor) for ancestor in await info.context.loaders.ancestors.load(self.model.id)]


@strawberry.type(description="A port, identified by its UN/LOCODE.")
class Port(Location):
    """Leaf of the region tree."""

    @strawberry.field(description="The UN/LOCODE, such as `CNSGH`.")
    def code(self) -> str:
        return self.model.key


@strawberry.type(description="A region, which stands for all ports below it at any depth.")
class Region(Location):
    """Inner node of the region tree."""

    @strawberry.field(description="The slug, such as `north_europe_main`.")
    def slug(self) -> str:
        return self.model.key

    @strawberry.field(description="The ports and regions directly below this region, ordered by name.")
    async def children(self, info: Info) -> list[Location] | None:
        return [to_location(child) for child in await info.context.loaders.children.load(self.model.id)]

    @strawberry.field(description="The ports below this region at any depth, ordered by name.")
    async def ports(self, info: Info) -> list[Port] | None:
        return [Port(model=port) for port in await info.context.loaders.ports_below.load(self.model.id)]


def to_location(model: LocationModel) -> Location:
    """Return the location as its GraphQL type, Port or Region."""
    return Port(model=model) if model.kind is LocationKind.PORT else Region(model=model)


async def load_location(info: Info, id_: int) -> Location | None:
    """Return the location with this ID as its GraphQL type, or None if there is none."""
    model = await info.context.loaders.location_by_id.load(id_)
    return None if model is None else to_location(model)


def to_location_connection(page: Page[LocationModel]) -> Connection[Location]:
    """Return the page as a Relay connection."""
    return to_connection("location", page, ((location.id, to_location(location)) for location in page.entries))
