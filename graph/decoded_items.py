"""Upload items that were decoded before execution and travel through GraphQL as one opaque value."""

from dataclasses import dataclass

from resolvers.uploads.items import PriceItem


@dataclass(frozen=True, slots=True)
class DecodedItems:
    """Items that were decoded already. No JSON can hold one, so no caller can send one."""

    items: list[PriceItem]
