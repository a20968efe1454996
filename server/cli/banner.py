"""Greeting of a started server: its address and an example that this server answers."""

from datetime import UTC, datetime, timedelta

import orjson

from db.connection import Connection
from db.repositories import locations
from server.config.settings import Settings

DEMO_ORIGIN, DEMO_DESTINATION = "china_main", "north_europe_main"
LOCATIONS = "{ locations(first: 3) { edges { node { key name } } } }"


async def has_demo_lane(connection: Connection) -> bool:
    """Return whether the region tree has both ends of the demo data's example lane."""
    return len(await locations.find_locations(connection, (DEMO_ORIGIN, DEMO_DESTINATION))) == 2


def create_greeting(settings: Settings, url: str, *, has_pages: bool) -> str:
    """Return the line that names the address, and the page to open in a browser if there is one."""
    hints = [f"open {url.removesuffix('graphql')} in a browser"] if has_pages else []
    if not settings.persisted_only:
        hints.append("paste:" if has_pages else "try it:")
    hint = ", or ".join(hints)
    return f"Ratesgraph answers at {url} (press Ctrl-C to stop). {hint[:1].upper()}{hint[1:]}".rstrip()


def explain_missing_pages(failure: str) -> str:
    """Return the line for a server without pages, with the reason and the remedy."""
    return f"The server has no pages for browsers: {failure}. Run `make pages` in the source folder, then restart it."


def create_example(settings: Settings, url: str, *, is_demo: bool) -> str | None:
    """Return a curl command whose query this server answers.

    Return None if only registered documents are answered.
    """
    if settings.persisted_only:
        return None
    token = "" if settings.anonymous_reads else " -H 'Authorization: Bearer rgt_…'"
    body = orjson.dumps({"query": _demo_query() if is_demo else LOCATIONS}).decode()
    return f"curl -s {url}{token} -H 'Content-Type: application/json' -d '{body}'"


def _demo_query() -> str:
    today = datetime.now(UTC).date()
    return (
        f'{{ averagePrices(dateFrom: "{today - timedelta(days=6)}", dateTo: "{today}",'
        f' origin: "{DEMO_ORIGIN}", destination: "{DEMO_DESTINATION}") {{ day averagePrice priceCount }} }}'
    )
