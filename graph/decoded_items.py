"""Opaque value that carries upload items, decoded before execution, through GraphQL."""

from dataclasses import dataclass

from resolvers.uploads.items import PriceItem


@dataclass(frozen=True, slots=True)
class DecodedItems:
    """Decoded upload items. JSON cannot represent this type, so no client can send it."""

    items: list[PriceItem]
