"""GraphQL over HTTP: media types, statuses, persisted documents, compression."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server.graphql_api.response import MAX_BYTES_ON_LOOP
from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Client, Json, running_server

RESPONSE_JSON = "application/graphql-response+json"
QUERY = '{ location(key: "china") { key } }'
ANSWER = {"data": {"location": {"key": "china"}}}
DIGEST = hashlib.sha256(QUERY.encode()).hexdigest()


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with two ports for all tests, which only read."""
    create_locations(module_database_url)
    with running_server(module_database_url) as client:
        yield client


def post(client: Client, body: object, **headers: str) -> httpx.Response:
    """Send a JSON body."""
    return client.http.post(
        "/graphql", content=json.dumps(body), headers={"Content-Type": "application/json"} | headers
    )


def error_code(response: httpx.Response) -> str:
    """Return the code of the only error of a rejection: JSON without data, not cacheable."""
    answer: Json = response.json()
    assert set(answer) == {"errors"}
    assert response.headers["content-type"].endswith("json; charset=utf-8")
    assert response.headers["cache-control"] == "private, no-store"
    (error,) = answer["errors"]
    found: str = error["extensions"]["code"]
    return found


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        (RESPONSE_JSON, RESPONSE_JSON),
        (f"{RESPONSE_JSON}, application/json;q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.5, application/json", "application/json"),
        (f"*/*;q=0.1, {RESPONSE_JSON};q=0.2", RESPONSE_JSON),
        (f"application/json;q=0, {RESPONSE_JSON};q=0.1, */*", RESPONSE_JSON),
        ("text/plain, application/json", "application/json"),
    ],
)
def test_content_negotiation_selects_the_preferred_media_type(client: Client, accept: str, media_type: str) -> None:
    response = post(client, {"query": QUERY}, Accept=accept)
    assert (response.status_code, response.json()) == (200, ANSWER)
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/plain", "application/xml, image/*", "application/json;q=0", "*/*;q=0"])
def test_content_negotiation_rejects_unsupported_media_types_with_406(client: Client, accept: str) -> None:
    response = post(client, {"query": QUERY}, Accept=accept)
    assert (response.status_code, error_code(response)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("query", "expected"),
    [("{ location(", "GRAPHQL_PARSE_FAILED"), ("{ lokation }", "GRAPHQL_VALIDATION_FAILED"),
     ("query ($key: String!) { location(key: $key) { key } }", "BAD_USER_INPUT")],
)  # fmt: skip
def test_request_error_has_no_data_and_a_status_by_media_type(client: Client, query: str, expected: str) -> None:
    for accept, status in (("application/json", 200), (RESPONSE_JSON, 400)):
        response = post(client, {"query": query}, Accept=accept)
        assert (response.status_code, error_code(response)) == (status, expected)


def test_field_error_preserves_other_fields_and_status_200(client: Client) -> None:
    lane = 'dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "x", destination: "y"'
    query = f"{QUERY[:-1]} averagePrices({lane}) {{ day }} }}"
    response = post(client, {"query": query}, Accept=RESPONSE_JSON)
    assert response.status_code == 200
    assert response.json()["data"] == {"location": {"key": "china"}, "averagePrices": None}
    assert response.json()["errors"][0]["path"] == ["averagePrices"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "BAD_JSON"), ("{", "BAD_JSON"), ("\xff", "BAD_JSON"), ("1", "BAD_PARAMETER"), ("null", "BAD_PARAMETER"),
        ("[]", "BAD_PARAMETER"), (f"[{json.dumps({'query': QUERY})}]", "BAD_PARAMETER"), ("{}", "BAD_PARAMETER"),
        ('{"query": 1}', "BAD_PARAMETER"), ('{"query": {}}', "BAD_PARAMETER"), ('{"query": ""}', "BAD_PARAMETER"),
        ('{"query": "{ __typename }", "variables": [1]}', "BAD_PARAMETER"),
        ('{"query": "{ __typename }", "operationName": 7}', "BAD_PARAMETER"),
        ('{"query": "{ __typename }", "operationName": "Other"}', "UNKNOWN_OPERATION"),
        ('{"query": "query A { __typename } query B { __typename }"}', "UNKNOWN_OPERATION"),
        ('{"query": "{ __typename }", "extensions": "x"}', "BAD_PARAMETER"),
        ('{"query": "\\ud800"}', "BAD_JSON"),
        ("[" * 5_000, "BAD_JSON"),
    ],
)  # fmt: skip
def test_malformed_body_is_rejected_with_one_code(client: Client, body: str, expected: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.http.post("/graphql", content=body.encode("latin-1"), headers=headers)
    assert (response.status_code, error_code(response)) == (400, expected)


def test_null_request_parameters_are_treated_as_absent(client: Client) -> None:
    body = {"query": QUERY, "variables": None, "operationName": None, "extensions": None}
    assert post(client, body).json() == ANSWER


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/jsonx", "application/json-patch+json", "application/json; charset=utf-16",
     "application/x-www-form-urlencoded"],
)  # fmt: skip
def test_unsupported_content_type_is_rejected_with_415(client: Client, content_type: str) -> None:
    response = post(client, {"query": QUERY}, **{"Content-Type": content_type})
    assert (response.status_code, error_code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; Charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_content_type_is_case_insensitive_with_optional_charset(client: Client, content_type: str) -> None:
    assert post(client, {"query": QUERY}, **{"Content-Type": content_type}).json() == ANSWER


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_unsupported_method_is_rejected_with_405_and_an_allow_header(client: Client, method: str) -> None:
    response = client.http.request(method, "/graphql", json={"query": QUERY})
    assert (response.status_code, error_code(response), response.headers["allow"]) == (
        405,
        "METHOD_NOT_ALLOWED",
        "GET, POST",
    )


def test_mutation_by_get_is_rejected_with_405(client: Client) -> None:
    query = 'mutation { revertBatch(id: "1") { userErrors { code } } }'
    response = client.http.get("/graphql", params={"query": query})
    assert (response.status_code, error_code(response), response.headers["allow"]) == (
        405,
        "METHOD_NOT_ALLOWED",
        "POST",
    )


@pytest.mark.parametrize(
    ("params", "expected"),
    [({"variables": "{}"}, "BAD_PARAMETER"), ({"query": QUERY, "variables": "{"}, "BAD_JSON"),
     ({"query": QUERY, "variables": "[1]"}, "BAD_PARAMETER"), ({}, "BAD_PARAMETER")],
)  # fmt: skip
def test_malformed_query_string_is_rejected_with_400(client: Client, params: dict[str, str], expected: str) -> None:
    response = client.http.get("/graphql", params=params)
    assert (response.status_code, error_code(response)) == (400, expected)


def test_persisted_query_is_registered_once_and_then_executed_by_hash(client: Client) -> None:
    named = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}}
    missing = post(client, named)
    assert (missing.status_code, error_code(missing)) == (200, "PERSISTED_QUERY_NOT_FOUND")
    assert missing.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    wrong = post(client, {"query": QUERY + " ", **named})
    assert (wrong.status_code, error_code(wrong)) == (400, "PERSISTED_QUERY_MISMATCH")
    assert error_code(post(client, named)) == "PERSISTED_QUERY_NOT_FOUND"
    assert post(client, {"query": QUERY, **named}).json() == ANSWER
    assert post(client, named).json() == ANSWER
    address = {"extensions": json.dumps(named["extensions"])}
    assert client.http.get("/graphql", params=address).json() == ANSWER


@pytest.mark.parametrize("persisted", [1, {}, {"version": 2, "sha256Hash": DIGEST}, {"version": 1, "sha256Hash": 7}])
def test_malformed_persisted_query_is_rejected(client: Client, persisted: object) -> None:
    response = post(client, {"query": QUERY, "extensions": {"persistedQuery": persisted}})
    assert (response.status_code, error_code(response)) == (400, "BAD_PARAMETER")


def test_persisted_document_is_executed_by_id_and_can_be_required(database_url: str, tmp_path: Path) -> None:
    create_locations(database_url)
    (tmp_path / "china.graphql").write_text(QUERY)
    with running_server(database_url, documents_dir=tmp_path) as client:
        assert post(client, {"documentId": "china"}).json() == ANSWER
        assert post(client, {"documentId": f"sha256:{DIGEST}"}).json() == ANSWER
        assert client.http.get("/graphql", params={"documentId": "china"}).json() == ANSWER
        assert error_code(post(client, {"documentId": "../china"})) == "DOCUMENT_NOT_FOUND"
        assert post(client, {"query": QUERY}).json() == ANSWER
    with running_server(database_url, documents_dir=tmp_path, persisted_only=True) as client:
        assert post(client, {"documentId": "china"}).json() == ANSWER
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}
        for request in {"query": QUERY}, {"extensions": extensions}, {"query": QUERY, "extensions": extensions}:
            assert post(client, request).json() == ANSWER
        assert error_code(post(client, {"query": QUERY.replace(" ", "  ", 1)})) == "DOCUMENT_REQUIRED"
        assert error_code(post(client, {})) == "DOCUMENT_REQUIRED"


def test_long_response_is_compressed_if_gzip_is_accepted(client: Client) -> None:
    year = 'dateFrom: "2024-01-01", dateTo: "2024-12-31", origin: "china", destination: "europe"'
    query = f"{{ averagePrices({year}) {{ day priceCount }} }}"
    plain = post(client, {"query": query}, **{"Accept-Encoding": "identity"})
    for _ in range(2):
        with client.http.stream(
            "POST", "/graphql", json={"query": query}, headers={"Accept-Encoding": "br, gzip"}
        ) as packed:
            assert packed.headers["content-encoding"] == "gzip"
            data = b"".join(packed.iter_raw())
        assert len(data) < len(plain.content) / 5
        assert gzip.decompress(data) == plain.content
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in post(client, {"query": QUERY}).headers


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.0, br", "gzipped", "*;q=0"])
def test_long_response_is_not_compressed_if_gzip_is_not_accepted(client: Client, accepted: str) -> None:
    query = '{ averagePrices(dateFrom: "2024-01-01", dateTo: "2024-12-31", origin: "china", destination: "europe") { day } }'
    answer = post(client, {"query": query}, **{"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert len(answer.json()["data"]["averagePrices"]) == 366


def test_response_above_the_event_loop_limit_is_compressed_unchanged(client: Client) -> None:
    years = 'dateFrom: "2020-01-01", dateTo: "2024-12-31", origin: "china", destination: "europe"'
    lanes = (f"lane{number}: averagePrices({years}) {{ day priceCount }}" for number in range(10))
    query = "{" + " ".join(lanes) + "}"
    plain = post(client, {"query": query}, **{"Accept-Encoding": "identity"})
    assert len(plain.content) > MAX_BYTES_ON_LOOP
    for _ in range(2):
        assert post(client, {"query": query}, **{"Accept-Encoding": "gzip"}).content == plain.content


def test_graphiql_is_served_to_browsers(client: Client) -> None:
    page = client.http.get("/graphql", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "GraphiQL" in page.text
