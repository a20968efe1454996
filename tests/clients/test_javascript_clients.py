"""GraphQL clients for JavaScript against a real server: queries, mutations, uploads, subscriptions.

Each client has a script in this folder, which runs the operations of `scenario.mjs` and prints what the client returned. A
further client needs its package in `package.json`, `npm install` in this folder for the lock file, its script, and an entry
in `CLIENTS`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Json, running_server, running_worker
from tests.support.npm import install_scripts, run_script

CLIENTS = [("urql.mjs", "urql-core-5"), ("urql.mjs", "urql-core-6")]
"""Script of each client, with further arguments."""
DAYS = ("2024-01-01", "2024-01-02")
APPLIED = {"batch": {"status": "APPLIED", "acceptedCount": 3}, "userErrors": []}
EXPECTED = {
    "before": [{"day": day, "averagePrice": None, "priceCount": 0} for day in DAYS],
    "uploaded": APPLIED,
    "sent": APPLIED,
    "progress": [{"status": "APPLIED", "progress": 1}],
    "after": [
        {"day": day, "averagePrice": average, "priceCount": 3} for day, average in zip(DAYS, (30, 2), strict=True)
    ],
    "refused": ["GRAPHQL_VALIDATION_FAILED"],
}
"""What every client returns to an application, without the fields that the client adds, such as `__typename`."""


@pytest.fixture(scope="module")
def scripts() -> Path:
    """Return the folder of the scripts, installed alongside their packages."""
    return install_scripts(Path(__file__).parent)


@contextmanager
def open_world(database_url: str) -> Iterator[str]:
    """Run a server and a worker with a small world; yield the server's URL."""
    create_locations(database_url)
    with running_server(database_url) as client, running_worker(database_url):
        yield str(client.http.base_url)


def drop_type_names(value: object) -> object:
    """Return the decoded JSON without `__typename`, which some clients add to each object."""
    if isinstance(value, dict):
        return {name: drop_type_names(member) for name, member in value.items() if name != "__typename"}
    return [drop_type_names(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("arguments", CLIENTS, ids=" ".join)
def test_client_reads_uploads_and_subscribes(scripts: Path, database_url: str, arguments: tuple[str, ...]) -> None:
    name, *others = arguments
    with open_world(database_url) as url:
        results: Json = json.loads(run_script(scripts, name, url, *others))
    assert {name: drop_type_names(results[name]) for name in EXPECTED} == EXPECTED


@pytest.mark.parametrize("package", ["urql-core-5", "urql-core-6"])
def test_urql_receives_json_except_for_subscriptions(scripts: Path, database_url: str, package: str) -> None:
    with open_world(database_url) as url:
        results: Json = json.loads(run_script(scripts, "urql.mjs", url, package))
    # Method, media type and whether there is an ETag, in the order of the scenario.
    json_type = "application/graphql-response+json"
    assert results["statuses"] == [
        ["POST", json_type, False],
        ["POST", json_type, False],
        ["POST", json_type, False],
        ["POST", "text/event-stream", False],
        ["GET", json_type, True],
        ["POST", json_type, False],
    ]
