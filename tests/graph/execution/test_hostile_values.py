"""Hostile texts in every argument of the schema, and randomly generated operations."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.operations import Operation, operations, operations_with_texts
from tests.support.streams import sse_results

HOSTILE = {
    "NUL": "\0",
    "a NUL inside": "CN\0GH",
    "a lone surrogate": "\ud800",
    "a quote": "'",
    "SQL": "'; DROP TABLE prices; --",
    "a condition": "x' OR '1'='1",
    "a comment": "/* */ -- \\",
    "wildcards": "%_\\%",
    "placeholders": "%s %(a)s $1 {} {0}",
    "a path": "../../../../etc/passwd",
    "another path": "..\\..\\c:\\windows\x00.csv",
    "a URL": "file:///etc/passwd",
    "line endings": "a\r\nSet-Cookie: a=b\r\n\r\n",
    "markup": "<script>alert(1)</script>",
    "right-to-left override": "\u202e\u2066",
    "noncharacters": "\ufffe\uffff",
    "beyond the basic plane": "\U0010ffff" * 100,
    "combining marks": "e\u0301\u0327" * 500,
    "empty text": "",
    "blanks": " \t\u00a0\u2003\ufeff",
    "digits": "9" * 400,
    "other digits": "١٢٣",
    "an exponent": "1e999999999",
    "no number": "NaN",
    "a long text": "x" * 90_000,
}
CLIENT_ERROR_CODES = {
    "BAD_USER_INPUT", "BAD_JSON", "DATE_RANGE_TOO_LONG", "INVALID_CURSOR", "INVALID_DATE", "INVALID_DATE_RANGE",
    "INVALID_FALLBACK", "INVALID_ID", "INVALID_PAGE_SIZE", "INVALID_PERCENTILE", "INVALID_PRICE", "INVALID_SAMPLE",
    "INVALID_UPLOAD", "INVALID_WAIT", "QUERY_TOO_COSTLY", "STREAM_REQUIRED", "TOO_MANY_LANES",
    "UNKNOWN_CURRENCY", "UNKNOWN_LOCATION",
}  # fmt: skip


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server over two ports with one batch, shared by the tests of the module."""
    create_locations(module_database_url)
    with running_server(module_database_url) as client:
        client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 0})
        yield client


def send(client: Client, operation: Operation) -> Json:
    """Return the response, which is JSON without a server fault and with client errors only."""
    body = json.dumps({"query": operation.query, "variables": operation.variables})
    response = client.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    answer: Json = response.json()
    assert response.status_code < 500, answer
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= CLIENT_ERROR_CODES, answer
    return answer


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_cause_only_client_errors_in_every_operation(client: Client, name: str) -> None:
    generated = dict(operations_with_texts(HOSTILE[name]))
    assert len(generated) > 30
    for operation in generated.values():
        answer = send(client, operation)
        assert "data" in answer or "errors" in answer
    assert len(client.ask(AVERAGES)["averagePrices"]) == 2


@given(operation=operations())
@settings(max_examples=300)
def test_random_operation_returns_data_or_client_errors(client: Client, operation: Operation) -> None:
    answer = send(client, operation)
    assert answer.get("data") or answer.get("errors")


@given(operation=operations())
@settings(max_examples=100)
def test_random_operation_over_sse_returns_one_result_and_completes(client: Client, operation: Operation) -> None:
    body = {"query": operation.query, "variables": operation.variables}
    response = client.http.post("/graphql", json=body, headers={"Accept": "text/event-stream"})
    answers = list(sse_results(response)) if response.is_success else [response.json()]
    assert response.status_code < 500, answers
    (answer,) = answers
    assert answer.get("data") or answer.get("errors")
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= CLIENT_ERROR_CODES, answer
    assert not response.is_success or response.text.rstrip().endswith("event: complete\ndata:")
