"""Lookup of locations by key or alias, search by text, and suggestions for unknown keys."""

import asyncio
from collections.abc import Sequence

from db.connection import Connection
from db.errors import DatabaseError
from db.repositories import locations
from db.repositories.locations import MAX_SUGGESTIONS
from domain.locations import Lane, Location, LocationKind, normalize_code
from domain.pages import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.errors import RequestError, quote

MAX_KEY_LENGTH = 63
MAX_TEXT_LENGTH = 1_000
"""Characters of a text that may be a key or name within blanks. A longer text names nothing and is not normalized."""
MAX_SEARCH_LENGTH = 200
"""Characters of a search that are compared: the maximum length of a name."""


async def find_by_key(context: RequestContext, key: str) -> Location | None:
    """Return the port or region with this code or slug, or None.

    Case and surrounding space are ignored, and the blank in a UN/LOCODE such as `NL RTM`.
    """
    key = normalize_code(key)
    # Codes and slugs are short ASCII strings: other keys are not queried.
    if not key or len(key) > MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        return None
    return await context.loaders.location_by_key.load(key.lower())


async def find_location(context: RequestContext, key: str) -> Location | None:
    """Return the location with this key, or else the only one with this alias or name.

    An alias is recorded in the context.
    """
    if len(key) > MAX_TEXT_LENGTH:
        return None
    location = await find_by_key(context, key)
    if location is None:
        candidates = await _find_named(context, key)
        if len(candidates) == 1:
            [location] = candidates
            context.note_alias(key.strip(), location.key)
    return location


async def _find_named(context: RequestContext, name: str) -> list[Location]:
    """Return the locations with this alias or name."""
    words = " ".join(name.split())
    if len(words) > MAX_KEY_LENGTH or not words.isprintable():
        return []
    found = await context.loaders.locations_by_alias.load_many(locations.alias_forms(words))
    return list({location.id: location for each in found for location in each}.values())


async def resolve_lane(context: RequestContext, origin: str, destination: str) -> Lane:
    """Return the lane between two codes or slugs. Raise RequestError (UNKNOWN_LOCATION)."""
    [lane] = await resolve_lanes(context, [(origin, destination)])
    if isinstance(lane, Exception):
        raise lane
    return lane


async def resolve_lanes(context: RequestContext, ends: Sequence[tuple[str, str]]) -> list[Lane | Exception]:
    """Return the lane, or the RequestError or DatabaseError, for each pair of codes or slugs."""
    known = context.app.location_id_cache
    lanes: list[Lane | Exception] = []
    for origin, destination in ends:
        start, end = known.get(_cache_key(origin)), known.get(_cache_key(destination))
        if start is None or end is None:
            # Uncached locations are the exception, so all pairs are resolved again.
            return await asyncio.gather(*(_resolve_lane(context, *pair) for pair in ends))
        lanes.append(Lane(start, end))
    return lanes


def _cache_key(text: str) -> str:
    """Return the key in the cache of location IDs, which has none for too long a text."""
    return text.strip().lower() if len(text) <= MAX_TEXT_LENGTH else ""


async def _resolve_lane(context: RequestContext, origin: str, destination: str) -> Lane | Exception:
    try:
        # Concurrent, so that both share one round trip with each other and with the other lanes of the request.
        first, last = await asyncio.gather(find_location(context, origin), find_location(context, destination))
        if first is None:
            return await unknown_location(context, "origin", origin)
        if last is None:
            return await unknown_location(context, "destination", destination)
    except DatabaseError as error:
        return error
    context.app.location_id_cache.update({first.key.lower(): first.id, last.key.lower(): last.id})
    return Lane(first.id, last.id)


async def unknown_location(context: RequestContext, argument: str, key: str) -> RequestError:
    """Return an UNKNOWN_LOCATION error with the argument and suggestions."""
    wanted = key[:MAX_TEXT_LENGTH].strip()[:MAX_KEY_LENGTH].encode(errors="replace").decode()
    several = sorted(location.key for location in await _find_named(context, wanted))
    suggestions = several[:MAX_SUGGESTIONS] or await _suggest(context, wanted)
    hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    return RequestError(
        "UNKNOWN_LOCATION",
        f"{argument}: unknown location {quote(wanted, MAX_KEY_LENGTH)}.{hint}",
        argument=argument,
        suggestions=suggestions,
    )


async def _suggest(context: RequestContext, text: str) -> list[str]:
    """Return the codes or slugs of similar locations, for the first unknown names of a request."""
    if not context.may_suggest():
        return []
    return await context.app.suggestions.closest_keys(text, context.reads, context.app.version.name)


async def search_locations(
    context: RequestContext, request: PageRequest, *, search: str | None, kind: LocationKind | None
) -> Page[Location]:
    """Return a page of the locations that match the text, the best match first.

    Without a text all locations are listed by name.
    """
    if search is None or not search.strip():
        return await _list_locations(context, request, kind)
    if "\x00" in search:
        return Page([], has_previous_page=False, has_next_page=False, total_count=0)
    text = search[:MAX_SEARCH_LENGTH].encode(errors="replace").decode()
    found, total = await context.reads.read(
        lambda connection: locations.search_locations(connection, request, search=text, kind=kind)
    )
    return Page.of_rows(request, found, total)


async def _list_locations(context: RequestContext, request: PageRequest, kind: LocationKind | None) -> Page[Location]:
    async def select(connection: Connection) -> tuple[list[Location], int]:
        read = locations.list_page_backward if request.is_backward else locations.list_page
        return await read(connection, request, kind=kind), await locations.count_locations(connection, kind=kind)

    found, total = await context.reads.read(select)
    return Page.of_rows(request, found, total)
