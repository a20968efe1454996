"""Content negotiation: every Accept header with every kind of request meets the same rules."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server.http.content_negotiation import MAX_CACHED_HEADERS, MAX_HEADER_LENGTH, memoize_header
from tests.support.fixtures.server import Client, running_server
from tests.support.http.negotiation import EVERY_FORM, JSON, PAGE, RESPONSE_JSON, STREAM, Request, json_body, read, send

NOT_PERSISTED = "{ locations(first: 1) { totalCount } }"
MUTATION = 'mutation { upsertRegions(regions: [{slug: "world", name: "World"}]) { addedCount } }'
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

ACCEPTS = [
    None, "", "*/*", JSON, "Application/JSON", "application/jsonx", "application/*;q=0", "*/*;q=0",
    STREAM, "Text/Event-Stream", "text/event-streamx", "xtext/event-stream", "text/event-stream;q=0",
    "text/event-stream; q=0.000", "text/event-stream;q=nan", "text/event-stream;q=-1",
    "text/event-stream;q=0, application/json", "text/event-stream;x=1;q=0.5",
    'text/plain;x="a,text/event-stream,b"', 'text/plain;x="', "text/*", "text/event-stream;q=0.1, application/json",
    PAGE, "TEXT/HTML", "text/htmlx", "text/html;q=0", "text/html, text/event-stream", BROWSER, f"{BROWSER}, {STREAM}",
    "multipart/mixed", "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
    "multipart/mixed, text/event-stream", "\xe4\xff", ";,;,", "text/event-stream" + "x" * 30_000, "text/html," * 3_000,
    f"{JSON}, " * 2_000 + STREAM, '"\\' * 400, '"\\' * 4_000,
]  # fmt: skip


def percent_encode(text: str) -> str:
    """Return the text percent-encoded for a query string."""
    return str(httpx.QueryParams({"x": text})).removeprefix("x=")


READ_REQUESTS = [
    Request(body=json_body(NOT_PERSISTED)),
    Request(body=json_body(NOT_PERSISTED), content_type="application/jsonx"),
    Request(body=json_body(NOT_PERSISTED), content_type="text/plain"),
    Request(body=json_body(NOT_PERSISTED), address="documentId=x"),
    Request("GET", f"query={percent_encode(NOT_PERSISTED)}"),
    Request("GET", f"quer%79={percent_encode(NOT_PERSISTED)}"),
    Request("GET", f"%71uery={percent_encode(NOT_PERSISTED)}&x=query"),
    Request("GET", f"x=1;query=1&query={percent_encode(NOT_PERSISTED)}"),
]
"""Queries that a server restricted to persisted documents rejects."""
GET_MUTATIONS = [
    Request("GET", f"query={percent_encode(MUTATION)}"),
    Request("GET", f"quer%79={percent_encode(MUTATION)}"),
    Request("GET", f"query=mutation{percent_encode(MUTATION.removeprefix('mutation'))}&operationName="),
    Request("GET", f"query={percent_encode(MUTATION)}", json_body(MUTATION)),
    Request("HEAD", f"query={percent_encode(MUTATION)}"),
]
OTHER_REQUESTS = [
    *(Request(body=body) for body in (b"", b"5", b"[]", b"null", b"{", b'"x"', b"[" * 5_000, b"\xff", b"{}")),
    Request(body=json_body("{ __typename }", operationName=[1])),
    Request(body=json_body("{ __typename }", variables=[1])),
    Request(body=json_body("{ __typename }", extensions={"persistedQuery": 1})),
    Request(body=json_body([1])),
    Request(body=json_body("{ lo")),
    Request(body=b"[" + json_body("{ __typename }") + b"]"),
    Request(body=json_body('subscription { batchProgress(id: "1") { id } }')),
    Request(body=b"operations=1", content_type="multipart/form-data; boundary=x"),
    Request(body=json_body("{ __typename }"), content_type=""),
    Request("GET"),
    Request("GET", "query="),
    Request("GET", "query=mutation{__typename}"),
    Request("GET", "quer%79=subscription{__typename}"),
    Request("GET", "query=%ff"),
    Request("GET", "query={__typename}&variables=["),
    Request("GET", "quer%79={__typename}&extensions={%22persistedQuery%22:{}}"),
    Request("GET", "documentId=other"),
    Request("GET", "&".join(["a=1"] * 50)),
    Request("PUT", body=json_body(NOT_PERSISTED)),
    Request("DELETE"),
    Request("OPTIONS"),
    Request("TRACE"),
]


@pytest.fixture(scope="module")
def persisted_only_client(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a server in the production profile that accepts one persisted document."""
    folder: Path = tmp_path_factory.mktemp("documents")
    (folder / "kind.graphql").write_text("{ __typename }")
    settings = {"profile": "production", "documents_dir": folder, "persisted_only": True}
    with running_server(module_database_url, writes_are_open=False, **settings) as client:
        yield client


@pytest.fixture(scope="module")
def open_client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with anonymous reads and writes."""
    with running_server(module_database_url) as client:
        yield client


@pytest.mark.parametrize("accept", ACCEPTS, ids=range(len(ACCEPTS)))
def test_malformed_requests_are_rejected_with_a_code_for_any_accept_header(
    persisted_only_client: Client, open_client: Client, accept: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    for request in (*OTHER_REQUESTS, *READ_REQUESTS):
        for client in (persisted_only_client, open_client):
            read(send(client, accept, request))
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("accept", ACCEPTS, ids=range(len(ACCEPTS)))
def test_only_persisted_documents_are_answered_for_any_accept_header(
    persisted_only_client: Client, accept: str | None
) -> None:
    for request in (*READ_REQUESTS, *GET_MUTATIONS):
        for answer in read(send(persisted_only_client, accept, request)):
            assert answer.get("data") is None, request
    answers = read(send(persisted_only_client, accept, Request(body=b'{"documentId": "kind"}')))
    assert answers[0].get("data") in (None, {"__typename": "Query"})


@pytest.mark.parametrize("accept", ACCEPTS, ids=range(len(ACCEPTS)))
def test_mutations_by_get_are_rejected_for_any_accept_header(open_client: Client, accept: str | None) -> None:
    for request in GET_MUTATIONS:
        for site in ("same-origin", "none", "cross-site", ""):
            for answer in read(send(open_client, accept, request, **{"Sec-Fetch-Site": site})):
                assert answer.get("data") is None, request
    assert open_client.ask("{ locations { totalCount } }") == {"locations": {"totalCount": 0}}


@pytest.mark.parametrize("accept", ACCEPTS, ids=range(len(ACCEPTS)))
def test_csrf_protection_rejects_cross_site_requests_for_any_accept_header(
    open_client: Client, accept: str | None
) -> None:
    for request in (*READ_REQUESTS, *GET_MUTATIONS, Request(body=json_body(MUTATION))):
        for fetched in (
            {"Sec-Fetch-Mode": "navigate"},
            {"Sec-Fetch-Mode": "cors", "Origin": "https://elsewhere.example"},
        ):
            response = send(open_client, accept, request, **{"Sec-Fetch-Site": "cross-site", **fetched})
            assert read(response) or request.method == "HEAD", request
            assert response.status_code == 403, request
    assert open_client.ask("{ locations { totalCount } }") == {"locations": {"totalCount": 0}}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (STREAM, STREAM), ("Text/Event-Stream", STREAM), ("text/event-stream;x=1;q=0.5", STREAM),
        ("*/*;q=0, text/event-stream", STREAM), ("text/html, text/event-stream", STREAM),
        ("application/json;q=0, text/event-stream", STREAM), ("multipart/mixed, text/event-stream", STREAM),
        ("application/json, text/event-stream", JSON), ("*/*, text/event-stream", JSON),
        ("text/event-stream, application/json;q=0.1", JSON), ("text/event-stream, */*;q=0.001", JSON),
        ("text/event-stream;q=0.1, application/json", JSON), ("text/event-stream;q=0, */*", JSON),
        ("multipart/mixed, application/json;q=0.1", JSON), (EVERY_FORM, RESPONSE_JSON),
        (f"{JSON}, text/event-streamx", JSON), ("text/event-streamx", 406), ("text/event-stream;q=0", 406),
        ("text/event-stream;q=nan", 406), ("multipart/mixed", 406), ('text/plain;x="a,text/event-stream,b"', 406),
        (f"{JSON}, " * 2_000 + JSON, 406),
    ],
)  # fmt: skip
def test_queries_are_answered_in_json_wherever_it_is_acceptable(
    open_client: Client, accept: str, kind: str | int
) -> None:
    for request in (Request(body=json_body("{ __typename }")), Request("GET", "query={__typename}")):
        response = send(open_client, accept, request, **{"Sec-Fetch-Site": "same-origin"})
        (answer,) = read(response)
        if isinstance(kind, int):
            assert (response.status_code, answer["errors"][0]["extensions"]["code"]) == (kind, "NOT_ACCEPTABLE")
        else:
            assert response.headers["content-type"].split(";")[0] == kind
            assert answer == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("accept", "address", "is_page"),
    [
        (PAGE, "", True), ("TEXT/HTML", "", True), (BROWSER, "", True), (BROWSER, "query=", True),
        (BROWSER, "variables={}", True), (f"{STREAM}, {PAGE}", "", True), (BROWSER, "quer%79={__typename}", True),
        (f"{STREAM}, {PAGE}", "query={__typename}", False),
        (BROWSER, "query={__typename}&variables={}", True), (BROWSER, "document%49d=x", False),
        (BROWSER, "query={__typename}&extensions={%22a%22:1}", False), (BROWSER, "query=%ff", False),
        ("text/html;q=0", "", False), ("text/htmlx", "", False), ("text/html;q=0.5, application/json", "", False),
        ("*/*", "", False), ("text/*", "", False),
    ],
)  # fmt: skip
def test_content_negotiation_serves_graphiql_only_for_html(
    open_client: Client, persisted_only_client: Client, accept: str, address: str, is_page: bool
) -> None:
    response = send(open_client, accept, Request("GET", address))
    assert (read(response) == []) == is_page
    assert ("GraphiQL" in response.text) == is_page
    refused = send(persisted_only_client, accept, Request("GET", address))
    assert read(refused)
    # Where there is no page, a query is a request like any other, here one that is not registered.
    assert not is_page or refused.status_code == (403 if "={__" in address else 404)


def test_content_negotiation_combines_repeated_accept_headers(open_client: Client) -> None:
    for accepts, status in (
        ([JSON, STREAM], 200), (["text/plain", JSON], 200), (["text/plain", STREAM], 200),
        (["text/plain", "image/png"], 406),
    ):  # fmt: skip
        response = send(open_client, accepts, Request(body=json_body("{ __typename }")))
        assert (response.status_code, len(read(response))) == (status, 1)
        assert (response.headers["content-type"].startswith(STREAM)) == (accepts == ["text/plain", STREAM])


def test_header_memo_is_bounded_and_skips_long_headers() -> None:
    parsed: list[bytes] = []

    @memoize_header(default=-1)
    def parse_length(header: bytes) -> int:
        parsed.append(header)
        return len(header)

    longest, too_long = b"x" * MAX_HEADER_LENGTH, b"x" * (MAX_HEADER_LENGTH + 1)
    assert [parse_length(header) for header in (longest, longest, too_long)] == [len(longest), len(longest), -1]
    assert parsed == [longest]
    for number in range(MAX_CACHED_HEADERS):
        parse_length(b"%d" % number)
    assert parse_length(longest) == len(longest)
    assert parsed.count(longest) == 2
    assert too_long not in parsed
