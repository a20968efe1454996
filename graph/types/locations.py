"""Ports, regions, and the connection that lists both."""

from typing import Annotated

import strawberry
from strawberry.relay import PageInfo

from domain.locations import Location as LocationModel
from domain.locations import LocationKind, LocationPage
from graph.types.arguments import Info
from graph.types.pagination import encode_cursor, to_page_info

strawberry.enum(LocationKind, description="What a location is.")


@strawberry.interface(description="A place that prices start from or lead to: a port or a region of the region tree.")
class Location:
    """What ports and regions share."""

    model: strawberry.Private[LocationModel]

    @strawberry.field(description="The code of a port or the slug of a region: what `averagePrices` takes.")
    def key(self) -> str:
        return self.model.key

    @strawberry.field(description="The name in its usual spelling.")
    def name(self) -> str:
        return self.model.name

    @strawberry.field(description="The region directly above; null for a root of the tree.")
    async def parent(self, info: Info) -> Annotated["Region", strawberry.lazy("graph.types.locations")] | None:
        if self.model.parent_id is None:
            return None
        parent = await info.context.loaders.location_by_id.load(self.model.parent_id)
        return None if parent is None else Region(model=parent)

    @strawberry.field(description="Every region above, the nearest first.")
    async def ancestors(self, info: Info) -> list[Annotated["Region", strawberry.lazy("graph.types.locations")]]:
        return [Region(model=ancestor) for ancestor in await info.context.loaders.ancestors.load(self.model.id)]


@strawberry.type(description="A port, known by its UN/LOCODE.")
class Port(Location):
    """A leaf of the tree."""

    @strawberry.field(description="The UN/LOCODE, such as `CNSGH`.")
    def code(self) -> str:
        return self.model.key


@strawberry.type(description="A region: all ports below it, at any depth.")
class Region(Location):
    """An inner place of the tree."""

    @strawberry.field(description="The slug, such as `north_europe_main`.")
    def slug(self) -> str:
        return self.model.key

    @strawberry.field(description="The ports and regions directly below, by name.")
    async def children(self, info: Info) -> list[Location]:
        return [to_location(child) for child in await info.context.loaders.children.load(self.model.id)]

    @strawberry.field(description="The ports below at any depth, by name.")
    async def ports(self, info: Info) -> list[Port]:
        return [Port(model=port) for port in await info.context.loaders.ports_below.load(self.model.id)]


def to_location(model: LocationModel) -> Location:
    """Return the location as the GraphQL type that it is."""
    return Port(model=model) if model.kind is LocationKind.PORT else Region(model=model)


@strawberry.type(description="A location within a list, with its place in it.")
class LocationEdge:
    cursor: str = strawberry.field(description="Give this as `after` to go on behind the entry.")
    node: Location = strawberry.field(description="The location.")


@strawberry.type(description="A page of locations.")
class LocationConnection:
    edges: list[LocationEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Whether and where the list goes on.")
    total_count: int = strawberry.field(description="How many locations match in all.")


def to_location_connection(page: LocationPage, *, after: str | None) -> LocationConnection:
    """Return the page as a Relay connection."""
    edges = [
        LocationEdge(cursor=encode_cursor("location", location.id), node=to_location(location))
        for location in page.locations
    ]
    page_info = to_page_info([edge.cursor for edge in edges], has_next_page=page.has_next_page, after=after)
    return LocationConnection(edges=edges, page_info=page_info, total_count=page.total_count)
