"""Lookup of locations by code or slug, search by text, and suggestions for unknown keys."""

import asyncio
from collections.abc import Sequence

from db.connection import Connection
from db.errors import DatabaseError
from db.repositories import locations
from db.repositories.locations import SimilarLocations
from domain.locations import Lane, Location, LocationKind, normalize_code
from domain.pages import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.errors import RequestError, quote

MAX_KEY_LENGTH = 63


async def find_location(context: RequestContext, key: str) -> Location | None:
    """Return the port or region with this code or slug, or None.

    Case and surrounding space are ignored, and the blank in a UN/LOCODE such as `NL RTM`.
    """
    key = normalize_code(key)
    # Codes and slugs are short ASCII strings: other keys are not queried.
    if not key or len(key) > MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        return None
    return await context.loaders.location_by_key.load(key.lower())


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
        start, end = known.get(origin.strip().lower()), known.get(destination.strip().lower())
        if start is None or end is None:
            # Uncached locations are the exception, so all pairs are resolved again.
            return await asyncio.gather(*(_resolve_lane(context, *pair) for pair in ends))
        lanes.append(Lane(start, end))
    return lanes


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
    wanted = key.strip()[:MAX_KEY_LENGTH].encode(errors="replace").decode()
    suggestions = await _suggest(context, wanted)
    hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    return RequestError(
        "UNKNOWN_LOCATION",
        f"{argument}: unknown location {quote(wanted, MAX_KEY_LENGTH)}.{hint}",
        argument=argument,
        suggestions=suggestions,
    )


async def _suggest(context: RequestContext, text: str) -> list[str]:
    """Return the codes or slugs of locations with a similar key or name."""
    known = await context.app.pool.read(locations.list_locations)
    return await asyncio.to_thread(lambda: SimilarLocations(known).closest_keys(text))


async def search_locations(
    context: RequestContext, request: PageRequest, *, search: str | None, kind: LocationKind | None
) -> Page[Location]:
    """Return a page of the locations whose name or key contains the text, by name.

    Without a text all locations match.
    """
    if search is not None and "\x00" in search:
        return Page([], has_previous_page=False, has_next_page=False, total_count=0)
    search = None if search is None else search[:200].encode(errors="replace").decode()

    async def select(connection: Connection) -> tuple[list[Location], int]:
        read = locations.search_locations_backward if request.is_backward else locations.search_locations
        found = await read(connection, request, search=search, kind=kind)
        return found, await locations.count_locations(connection, search=search, kind=kind)

    found, total = await context.app.pool.read(select)
    return Page.of_rows(request, found, total)
