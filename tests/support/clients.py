"""Scenario that GraphQL clients of other projects run: its world and its expected results."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Json, running_server, running_worker

DAYS = ("2024-01-01", "2024-01-02")
APPLIED = {"batch": {"status": "APPLIED", "acceptedCount": 3}, "userErrors": []}
LOCATIONS = ["china", "CNSGH", "europe", "NLRTM"]
EXPECTED = {
    "before": [{"day": day, "averagePrice": None, "priceCount": 0} for day in DAYS],
    "uploaded": APPLIED,
    "sent": APPLIED,
    "progress": [{"status": "APPLIED", "progress": 1}],
    "after": [
        {"day": day, "averagePrice": average, "priceCount": 3} for day, average in zip(DAYS, (30, 2), strict=True)
    ],
    "refetched": "APPLIED",
    "reverted": "REVERTED",
    "failed": [["UNKNOWN_LOCATION", "origin"]],
}
"""The results that every client returns to an application."""
PAGES = {"forward": [LOCATIONS[:3], LOCATIONS[3:]], "backward": [LOCATIONS[1:], LOCATIONS[:1]]}
"""Pages of three locations, read from the start and from the end."""
REFUSED = [["GRAPHQL_VALIDATION_FAILED", None]]


@contextmanager
def open_world(database_url: str, settings: Json | None = None) -> Iterator[str]:
    """Run a server and a worker with a small world; yield the server's URL."""
    create_locations(database_url)
    with running_server(database_url, **(settings or {})) as client, running_worker(database_url):
        yield str(client.http.base_url).rstrip("/")


def check_results(output: str, additional: Json) -> None:
    """Compare the output of a client's script with the results of all clients and some more."""
    results = {name: drop_type_names(result) for name, result in json.loads(output).items()}
    expected = EXPECTED | additional
    assert {name: results.get(name) for name in expected} == expected


def drop_type_names(value: object) -> object:
    """Return the decoded JSON without `__typename`, at any depth."""
    if isinstance(value, dict):
        return {name: drop_type_names(member) for name, member in value.items() if name != "__typename"}
    return [drop_type_names(entry) for entry in value] if isinstance(value, list) else value
