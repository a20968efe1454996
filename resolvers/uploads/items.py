"""Items of an upload, decoded and encoded in C: ten thousand need milliseconds."""

from collections.abc import Sequence

import msgspec


class PriceItem(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """One item as sent and stored: the fields of `PriceInput` in the schema.

    The order of the fields is part of the digest that recognises a replay.
    """

    date_from: str | None = None
    origin: str | None = None
    destination: str | None = None
    price: int | float | str | None = None
    date_to: str | None = None
    currency: str | None = "USD"


def decode_items(values: object) -> list[PriceItem] | None:
    """Return the items of decoded JSON, or None if the GraphQL coercion would reject them.

    After None the caller runs the GraphQL coercion, which produces the error message.
    """
    try:
        return msgspec.convert(values, list[PriceItem])
    except msgspec.ValidationError:
        return None


def encode_items(items: Sequence[PriceItem]) -> bytes:
    """Return the items as NDJSON. Raise UnicodeEncodeError for an unpaired surrogate."""
    return msgspec.json.Encoder().encode_lines(items)
