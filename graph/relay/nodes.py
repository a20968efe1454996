"""Interface of the objects that have a global ID."""

import strawberry


@strawberry.interface(description="An object that can be fetched again by its ID.")
class Node:
    """GraphQL interface of objects with a global ID. Types that implement it override `id`."""

    @strawberry.field(
        description="The global ID: opaque, unique across all types, never changed. Pass it to `node` to fetch the object."
    )
    def id(self) -> strawberry.ID:
        raise NotImplementedError
