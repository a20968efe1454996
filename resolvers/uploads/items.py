"""The items of an upload, decoded and encoded in C: a batch of ten thousand costs milliseconds."""

from collections.abc import Sequence

import msgspec


class PriceItem(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """One item as it is sent and stored: `PriceInput` of the schema, field by field."""

    date_from: str
    origin: str
    destination: str
    price: int | float | str
    date_to: str | None = None
    currency: str | None = "USD"


def decode_items(values: object) -> list[PriceItem] | None:
    """Return the items of decoded JSON, or None where they are not what GraphQL's own coercion would accept.

    Whoever gets None lets GraphQL coerce, and so find the words for what is wrong.
    """
    try:
        return msgspec.convert(values, list[PriceItem])
    except msgspec.ValidationError:
        return None


def encode_items(items: Sequence[PriceItem]) -> bytes:
    """Return the items as NDJSON. Raise UnicodeEncodeError for a text that holds half of a surrogate pair."""
    return msgspec.json.Encoder().encode_lines(items)
