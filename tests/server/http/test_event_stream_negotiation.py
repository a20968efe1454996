"""Negotiation of event streams: which requests get one, and in which form.

Nothing is applied without a response.
"""

from collections.abc import Iterator

import pytest

from server.graphql_api.sse import TRANSPORT
from tests.support.fixtures.server import Client, running_server
from tests.support.http.multipart import encode
from tests.support.http.negotiation import EVERY_FORM, JSON, STREAM, Request, json_body, read, send

MUTATION = 'mutation { upsertRegions(regions: [{slug: "world", name: "World"}]) { addedCount } }'


@pytest.fixture(scope="module")
def open_client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with anonymous reads and writes."""
    with running_server(module_database_url) as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        (STREAM, 200, STREAM), (EVERY_FORM, 200, STREAM), ("application/json, text/event-stream;q=0.1", 200, STREAM),
        ("text/event-stream, multipart/mixed", 200, STREAM), ("*/*, text/event-stream", 200, STREAM),
        (JSON, 406, JSON), ("*/*", 406, JSON), ("application/json, text/event-stream;q=0", 406, JSON),
    ],
)  # fmt: skip
def test_subscriptions_get_an_event_stream_wherever_it_is_named(
    open_client: Client, accept: str, status: int, kind: str
) -> None:
    subscription = 'subscription Watch { batchProgress(id: "1") { status } }'
    for request in (
        Request(body=json_body(subscription)),
        Request(body=json_body(f"query Other {{ __typename }} {subscription}", operationName="Watch")),
    ):
        response = send(open_client, accept, request)
        (answer,) = read(response)
        assert (response.status_code, response.headers["content-type"].split(";")[0]) == (status, kind)
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == ("STREAM_REQUIRED" if status == 406 else "UNKNOWN_BATCH")


@pytest.mark.parametrize("accept", ["text/plain", "multipart/mixed", "application/jsonx", f"{STREAM};q=0"])
@pytest.mark.parametrize("content_type", [JSON, "text/plain", "multipart/form-data; boundary=xyz"])
def test_mutations_that_cannot_be_answered_are_not_applied(open_client: Client, accept: str, content_type: str) -> None:
    body = encode(("operations", None, json_body(MUTATION)), ("map", None, b"{}")) if "xyz" in content_type else None
    request = Request(body=body or json_body(MUTATION), content_type=content_type)
    answers = [send(open_client, accept, request, **{"GraphQL-Require-Preflight": "1"})]
    if content_type == "text/plain":
        answers += [send(open_client, form, request) for form in (JSON, STREAM, EVERY_FORM)]
    assert [answer.status_code for answer in answers] == [406, 415, 415, 415][: len(answers)]
    assert open_client.ask("{ locations { totalCount } }") == {"locations": {"totalCount": 0}}


def test_event_stream_lines_end_in_line_feeds(open_client: Client) -> None:
    response = send(open_client, STREAM, Request(body=json_body("{ __typename }")))
    assert response.text == 'event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata: \n\n'
    assert TRANSPORT.heartbeat_message(str) == ": ping\n\n"


def test_forms_are_answered_in_the_accepted_form(open_client: Client) -> None:
    body = encode(("operations", None, json_body("{ __typename }")), ("map", None, b"{}"))
    request = Request(body=body, content_type="multipart/form-data; boundary=xyz")
    for accept, kind in ((EVERY_FORM, "application/graphql-response+json"), (JSON, JSON), (STREAM, STREAM)):
        response = send(open_client, accept, request, **{"GraphQL-Require-Preflight": "1"})
        assert read(response) == [{"data": {"__typename": "Query"}}]
        assert response.headers["content-type"].split(";")[0] == kind
