"""Empty parameters of a request count as absent, over every transport."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.batches.price_files import PREFLIGHT
from tests.support.fixtures.server import JSON, Client, Json, running_server
from tests.support.streams import sse_results

QUERIES = {
    "unnamed": "{ __typename }",
    "named": "query Name { __typename }",
    # The executor is bypassed for this query.
    "planned": """query Name {
      averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "x", destination: "y") { day }
    }""",
}
TWO_OPERATIONS = "query A { __typename } query B { __typename }"
EMPTY: list[Json] = [
    {"operationName": ""},
    {"operationName": None},
    {"variables": None},
    {"extensions": None},
    {"documentId": ""},
    {"operationName": "", "variables": None, "extensions": None},
]


@pytest.fixture(scope="module")
def client(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a server that registers the queries under their names."""
    folder: Path = tmp_path_factory.mktemp("documents")
    for name, query in QUERIES.items():
        (folder / f"{name}.graphql").write_text(query)
    with running_server(module_database_url, documents_dir=folder, cache_bytes=0) as client:
        yield client


def result(response: httpx.Response) -> Json:
    """Return the response without the positions of its errors, in whatever form it was sent."""
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    answer: Json = next(sse_results(response)) if is_stream else response.json()
    return {"data": answer.get("data"), "codes": [error["extensions"]["code"] for error in answer.get("errors", [])]}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("empty", EMPTY)
def test_empty_parameters_of_a_post_request_count_as_absent(client: Client, name: str, empty: Json) -> None:
    query = QUERIES[name]
    expected = result(client.http.post("/graphql", json={"query": query}))
    assert "UNKNOWN_OPERATION" not in expected["codes"]
    digest = hashlib.sha256(query.encode()).hexdigest()
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    requests: list[Json] = [{"query": query}, {"documentId": name}, {"query": query, "extensions": persisted}]
    for request in requests:
        body = {**empty, **request}
        assert result(client.http.post("/graphql", json=body)) == expected
        assert result(client.http.post("/graphql", json=body, headers={"Accept": "text/event-stream"})) == expected
        assert result(client.http.post("/graphql", json=body, headers={"GraphQL-Cost": "report"})) == expected
        form = {"operations": (None, json.dumps(body)), "map": (None, "{}")}
        assert result(client.http.post("/graphql", files=form, headers=PREFLIGHT)) == expected


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize(
    "empty",
    [
        {"operationName": ""},
        {"variables": ""},
        {"variables": "null"},
        {"extensions": ""},
        {"extensions": "null"},
        {"documentId": ""},
        {"operationName": "", "variables": "", "extensions": ""},
    ],
)
def test_empty_parameters_of_a_get_request_count_as_absent(client: Client, name: str, empty: dict[str, str]) -> None:
    expected = result(client.http.get("/graphql", params={"query": QUERIES[name]}))
    assert "UNKNOWN_OPERATION" not in expected["codes"]
    for accept in (JSON, {"Accept": "text/event-stream"}):
        params = {"query": QUERIES[name], **empty}
        assert result(client.http.get("/graphql", params=params, headers=accept)) == expected


def test_empty_name_selects_none_of_several_operations(client: Client) -> None:
    refused = {"data": None, "codes": ["UNKNOWN_OPERATION"]}
    body = {"query": TWO_OPERATIONS, "operationName": ""}
    assert result(client.http.post("/graphql", json=body)) == refused
    assert result(client.http.post("/graphql", json=body, headers={"Accept": "text/event-stream"})) == refused
    assert result(client.http.get("/graphql", params=body)) == refused
