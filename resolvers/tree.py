"""Changing the region tree while everything runs: averages follow exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.batches import Rejection
from domain.locations import Location, LocationKind, TreeChange, TreeEntry
from resolvers.context import RequestContext
from resolvers.locations import find_location

MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class TreeOutcome:
    """The locations as they stand now, what the change came to, or why it was refused; then nothing has changed."""

    locations: list[Location] = field(default_factory=list)
    change: TreeChange = field(default_factory=lambda: TreeChange(0, 0, 0))
    user_errors: list[Rejection] = field(default_factory=list)


async def upsert_locations(
    context: RequestContext, kind: LocationKind, wanted: Sequence[tuple[str, str, str | None]]
) -> TreeOutcome:
    """Add or update (key, name, parent key) as one change; totals follow every location that moves."""
    if not 0 < len(wanted) <= MAX_ENTRIES:
        code = "TOO_MANY_ITEMS" if wanted else "EMPTY_BATCH"
        message = f"{len(wanted)} locations; a change has 1 to {MAX_ENTRIES:,}"
        return TreeOutcome(user_errors=[Rejection(None, None, code, message, None)])
    entries = [
        TreeEntry(kind, key, name, parent, f"item {number}", number)
        for number, (key, name, parent) in enumerate(wanted, start=1)
    ]
    return await _change(context, entries)


async def move_location(context: RequestContext, key: str, parent_key: str | None) -> TreeOutcome:
    """Hang a location under another region, or make a region a root."""
    location = await find_location(context, key)
    if location is None:
        problem = Rejection(None, "key", "UNKNOWN_LOCATION", "there is no such port or region", None)
        return TreeOutcome(user_errors=[problem])
    return await _change(context, [TreeEntry(location.kind, location.key, None, parent_key, "the move")])


async def _change(context: RequestContext, entries: Sequence[TreeEntry]) -> TreeOutcome:
    change = await context.app.change_tree(entries, context.caller.label)
    if isinstance(change, Rejection):
        return TreeOutcome(user_errors=[change])
    # What the request has loaded so far may have moved, and answers that are kept no longer hold.
    context.loaders.clear()
    context.app.version.invalidate()
    keys = [entry.key.strip().lower() for entry in entries]
    found = await context.loaders.location_by_key.load_many(keys)
    return TreeOutcome([location for location in found if location is not None], change)
