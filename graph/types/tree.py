"""Changes of the region tree: what is sent, and what is answered."""

from collections.abc import Sequence

import strawberry

from graph.types.locations import Location, to_location
from graph.types.uploads import UserError, to_user_error
from resolvers.tree import TreeOutcome


@strawberry.input(description="A region as it shall be.")
class RegionInput:
    slug: str = strawberry.field(description="The slug, such as `north_europe`.")
    name: str = strawberry.field(description="The name in its usual spelling.")
    parent_slug: str | None = strawberry.field(
        default=None, description="The region directly above; left out: a root of the tree."
    )

    def as_entry(self) -> tuple[str, str, str | None]:
        """Return key, name and parent."""
        return self.slug, self.name, self.parent_slug


@strawberry.input(description="A port as it shall be.")
class PortInput:
    code: str = strawberry.field(description="The UN/LOCODE, such as `CNSGH`.")
    name: str = strawberry.field(description="The name in its usual spelling.")
    parent_slug: str = strawberry.field(description="The region directly above.")

    def as_entry(self) -> tuple[str, str, str | None]:
        """Return key, name and parent."""
        return self.code, self.name, self.parent_slug


@strawberry.type(description="What a change of the tree came to. It is made whole or not at all.")
class ChangeTreePayload:
    locations: list[Location] = strawberry.field(description="The locations as they stand now.")
    added_count: int = strawberry.field(description="How many are new.")
    moved_count: int = strawberry.field(description="How many have another parent; their prices' averages moved along.")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed.")


def to_entries(inputs: Sequence[RegionInput | PortInput]) -> list[tuple[str, str, str | None]]:
    """Return key, name and parent of each input."""
    return [wanted.as_entry() for wanted in inputs]


def to_tree_payload(outcome: TreeOutcome) -> ChangeTreePayload:
    """Return the outcome as the mutations' payload."""
    return ChangeTreePayload(
        locations=[to_location(location) for location in outcome.locations],
        added_count=outcome.change.added,
        moved_count=outcome.change.moved,
        user_errors=[to_user_error(rejection) for rejection in outcome.user_errors],
    )
