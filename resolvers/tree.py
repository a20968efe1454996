"""Changes of the region tree at run time. Averages of affected regions are updated exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from domain.batches import Rejection
from domain.locations import Location, LocationKind, TreeChange, TreeEntry, normalize_code
from resolvers.context import RequestContext
from resolvers.errors import quote
from resolvers.locations import MAX_KEY_LENGTH, find_by_key
from resolvers.uploads.batch_storage import require_room

MAX_ENTRIES = 10_000
MAX_LOCATION_TEXT = 100_000
"""Characters of a key or name. One of 30 MB blocks all threads for up to 8 s, because patterns are searched in C."""
Text = Annotated[str, msgspec.Meta(max_length=MAX_LOCATION_TEXT)]
TreeItem = tuple[str, str, str | None]
"""Key, name and parent key of a location to create or update."""


class RegionItem(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """A region as sent: the fields of `RegionInput` in the schema."""

    slug: Text
    name: Text
    parent_slug: Text | None = None


class PortItem(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """A port as sent: the fields of `PortInput` in the schema."""

    code: Text
    name: Text
    parent_slug: Text


def decode_locations(kind: LocationKind, values: object) -> list[TreeItem] | None:
    """Return the locations of decoded JSON.

    Return None if the GraphQL coercion would reject them, or if a text is longer than MAX_LOCATION_TEXT.
    """
    try:
        if kind is LocationKind.PORT:
            ports = msgspec.convert(values, list[PortItem])
            return [(port.code, port.name, port.parent_slug) for port in ports]
        regions = msgspec.convert(values, list[RegionItem])
        return [(region.slug, region.name, region.parent_slug) for region in regions]
    except msgspec.ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class TreeOutcome:
    """Result of a tree change: the current locations and counts, or the errors."""

    locations: list[Location] = field(default_factory=list)
    change: TreeChange = field(default_factory=lambda: TreeChange(0, 0, 0))
    user_errors: list[Rejection] = field(default_factory=list)


async def upsert_locations(context: RequestContext, kind: LocationKind, wanted: Sequence[TreeItem]) -> TreeOutcome:
    """Add or update locations (key, name, parent key) as one change, including their totals."""
    if not 0 < len(wanted) <= MAX_ENTRIES:
        code = "TOO_MANY_ITEMS" if wanted else "EMPTY_BATCH"
        message = f"a change must contain 1 to {MAX_ENTRIES:,} locations (got {len(wanted):,})"
        return TreeOutcome(user_errors=[Rejection(None, None, code, message, None)])
    entries = [
        TreeEntry(kind, key, name, parent, f"item {number}", number)
        for number, (key, name, parent) in enumerate(wanted, start=1)
    ]
    return await _change(context, entries)


async def move_location(context: RequestContext, key: str, parent_key: str | None) -> TreeOutcome:
    """Move a location to another parent region, or make a region a root."""
    location = await find_by_key(context, key)
    if location is None:
        problem = Rejection(None, "key", "UNKNOWN_LOCATION", f"unknown location {quote(key, MAX_KEY_LENGTH)}", None)
        return TreeOutcome(user_errors=[problem])
    return await _change(context, [TreeEntry(location.kind, location.key, None, parent_key, "the move")])


async def _change(context: RequestContext, entries: Sequence[TreeEntry]) -> TreeOutcome:
    """Apply the change.

    Raise RequestError (NO_ROOM): moved averages are stored next to the old ones.
    """
    require_room(context)
    change = await context.app.change_tree(entries, context.caller.label)
    if isinstance(change, Rejection):
        return TreeOutcome(user_errors=[change])
    # Loaded locations may have moved, and cached responses may be stale.
    context.loaders.clear()
    context.app.version.invalidate()
    keys = [normalize_code(entry.key).lower() for entry in entries]
    found = await context.loaders.location_by_key.load_many(keys)
    return TreeOutcome([location for location in found if location is not None], change)
