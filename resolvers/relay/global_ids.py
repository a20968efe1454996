"""Global IDs: opaque, unique across types, and the same on every server.

The string is the base64 encoding of a type and its key: the code of a port, the slug of a region, the number of a batch. An
object has exactly one ID, so client caches can use it as their key. Source: GraphQL Global Object Identification
Specification.
"""

import base64
from typing import NamedTuple

from domain.locations import Location, LocationKind

BATCH = "PriceBatch"
LOCATION_TYPES = {LocationKind.PORT: "Port", LocationKind.REGION: "Region"}
NODE_TYPES = frozenset({BATCH, *LOCATION_TYPES.values()})
MAX_LENGTH = 200
"""Maximum number of characters of a global ID. Keys have at most 63."""
MAX_NUMBER_DIGITS = 18


class GlobalId(NamedTuple):
    """Decoded global ID: the type of an object and its key, which is unique within the type."""

    type_name: str
    key: str


def encode_global_id(type_name: str, key: str) -> str:
    """Return the global ID of an object."""
    return base64.b64encode(f"{type_name}:{key}".encode()).decode()


def encode_location_id(location: Location) -> str:
    """Return the global ID of a port or region."""
    return encode_global_id(LOCATION_TYPES[location.kind], location.key)


def encode_batch_id(number: int) -> str:
    """Return the global ID of a batch."""
    return encode_global_id(BATCH, str(number))


def decode_global_id(text: str) -> GlobalId | None:
    """Return the type and key of a global ID, or None if the string is not a global ID."""
    if len(text) > MAX_LENGTH:
        return None
    try:
        type_name, _, key = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return None
    # Base64 has several spellings of the same bytes. Only the one that the server sends is an ID.
    is_canonical = type_name in NODE_TYPES and key != "" and encode_global_id(type_name, key) == text
    return GlobalId(type_name, key) if is_canonical else None


def parse_batch_id(text: str) -> int | None:
    """Return the number of a batch, given by number or global ID, or None for any other string."""
    if text.isdigit():
        return _parse_number(text)
    global_id = decode_global_id(text)
    return None if global_id is None or global_id.type_name != BATCH else parse_batch_key(global_id.key)


def parse_batch_key(key: str) -> int | None:
    """Return the batch number in the key of a global ID, or None if no batch can have the key."""
    return None if key.startswith("0") else _parse_number(key)


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_DIGITS else None
