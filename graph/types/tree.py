"""Changes of the region tree: inputs and payload."""

from collections.abc import Sequence

import strawberry

from graph.decoded_items import DecodedLocations
from graph.types.locations import Location, to_location
from graph.types.uploads import UserError, to_user_error
from resolvers.tree import TreeOutcome


@strawberry.input(description="A region to create or update.")
class RegionInput:
    slug: str = strawberry.field(description="The slug, such as `north_europe`.")
    name: str = strawberry.field(description="The display name, such as `North Europe`.")
    parent_slug: str | None = strawberry.field(
        default=None, description="The slug of the parent region; omit it for a root of the tree."
    )

    def as_entry(self) -> tuple[str, str, str | None]:
        """Return key, name and parent."""
        return self.slug, self.name, self.parent_slug


@strawberry.input(description="A port to create or update.")
class PortInput:
    code: str = strawberry.field(description="The UN/LOCODE, such as `CNSGH`.")
    name: str = strawberry.field(description="The display name, such as `Shanghai`.")
    parent_slug: str = strawberry.field(description="The slug of the parent region.")

    def as_entry(self) -> tuple[str, str, str | None]:
        """Return key, name and parent."""
        return self.code, self.name, self.parent_slug


@strawberry.type(
    description="The result of a change of the region tree. The change is applied completely or not at all."
)
class ChangeTreePayload:
    locations: list[Location] = strawberry.field(description="The locations after the change.")
    added_count: int = strawberry.field(description="Number of locations that were created.")
    moved_count: int = strawberry.field(
        description="Number of locations with a new parent; the averages of all affected regions were updated."
    )
    user_errors: list[UserError] = strawberry.field(
        description="The problems that prevented the change; empty on success."
    )


def to_entries(inputs: Sequence[RegionInput | PortInput]) -> list[tuple[str, str, str | None]]:
    """Return key, name and parent of each input, decoded by msgspec or by GraphQL."""
    entries: list[tuple[str, str, str | None]] = []
    for location in inputs:
        carried = location.name
        entries += carried.locations if isinstance(carried, DecodedLocations) else (location.as_entry(),)
    return entries


def to_tree_payload(outcome: TreeOutcome) -> ChangeTreePayload:
    """Return the outcome as the payload of the mutations."""
    return ChangeTreePayload(
        locations=[to_location(location) for location in outcome.locations],
        added_count=outcome.change.added,
        moved_count=outcome.change.moved,
        user_errors=[to_user_error(rejection) for rejection in outcome.user_errors],
    )
