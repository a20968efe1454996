"""Stream requests: accepted forms and rejections of invalid ones."""

import json
import logging
import socket
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect as connect_socket
from websockets.typing import Origin

from tests.support.batches.uploads import VALID_ITEM
from tests.support.fixtures.server import Json, running_server
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import PROGRESS, each_transport, upload
from tests.support.streams import PROTOCOL, open_socket, operation_results, receive, sse_results, subscribe
from tests.support.waiting import DEADLINE_SECONDS, eventually

EVENT_STREAM = {"Accept": "text/event-stream"}
MALFORMED: list[str | bytes] = [
    "[]",
    '"text"',
    "{",
    "{}",
    '{"type": "nothing"}',
    '{"type": "subscribe"}',
    '{"type": "subscribe", "id": "1", "payload": "text"}',
    '{"type": "subscribe", "id": {}, "payload": {"query": "{ __typename }"}}',
    '{"type": "complete", "id": []}',
    "[" * 100_000,
    b"\x00",
]


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_subscription_without_sse_or_websocket_is_rejected_with_a_hint(watched: Watched, accept: str) -> None:
    body = {"query": PROGRESS, "variables": {"id": "1"}}
    answer = httpx.post(
        f"{watched.url}/graphql", json=body, headers={"Accept": accept}, timeout=DEADLINE_SECONDS
    ).json()
    assert answer["errors"][0]["extensions"] == {"code": "STREAM_REQUIRED"}
    assert "text/event-stream" in answer["errors"][0]["message"]


def test_websocket_mutation_requires_a_token(database_url: str) -> None:
    mutation = "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { id } } }"
    with (
        running_server(database_url, writes_are_open=False) as client,
        open_socket(str(client.http.base_url)) as socket,
    ):
        subscribe(socket, mutation, {"input": {"prices": [VALID_ITEM]}})
        (answer,) = operation_results(socket)
        assert answer["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


def test_malformed_websocket_message_closes_the_connection_with_code_4400(watched: Watched) -> None:
    for message in MALFORMED:
        with open_socket(watched.url) as socket:
            socket.send(message)
            with pytest.raises(ConnectionClosedError) as caught:
                receive(socket)
            assert caught.value.rcvd is not None, message
            assert caught.value.rcvd.code == 4400, message


@each_transport
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "BAD_PARAMETER"),
        ({"query": 1}, "BAD_PARAMETER"),
        ({"query": "{ __typename }", "variables": 1}, "BAD_PARAMETER"),
        ({"query": "{ __typename }", "operationName": {}}, "BAD_PARAMETER"),
        ({"query": "{ __typename }", "operationName": "other"}, "UNKNOWN_OPERATION"),
        ({"documentId": "other"}, "DOCUMENT_NOT_FOUND"),
    ],
)
def test_invalid_stream_request_parameters_are_rejected_with_a_code(
    watched: Watched, transport: str, parameters: Json, code: str
) -> None:
    assert rejection_code(watched.url, transport, parameters) == code


def rejection_code(url: str, transport: str, parameters: Json) -> str:
    """Return the code of the only error of the response to a stream request."""
    if transport == "sse":
        response = httpx.post(f"{url}/graphql", json=parameters, headers=EVENT_STREAM, timeout=DEADLINE_SECONDS)
        answer = (
            next(sse_results(response))
            if response.headers["content-type"].startswith("text/event-stream")
            else response.json()
        )
    else:
        with open_socket(url) as socket:
            socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": parameters}))
            answer = next(operation_results(socket))
    (error,) = answer["errors"]
    return str(error["extensions"]["code"])


@each_transport
def test_stream_requires_a_persisted_document_if_only_those_are_allowed(
    database_url: str, tmp_path: Path, transport: str
) -> None:
    (tmp_path / "kinds.graphql").write_text("{ __typename }")
    with running_server(database_url, documents_dir=tmp_path, persisted_only=True) as client:
        url = str(client.http.base_url)
        assert rejection_code(url, transport, {"query": "{ other: __typename }"}) == "DOCUMENT_REQUIRED"
        with open_socket(url) as socket:
            socket.send('{"id": "1", "type": "subscribe", "payload": {"documentId": "kinds"}}')
            assert list(operation_results(socket)) == [{"data": {"__typename": "Query"}}]
        response = httpx.post(
            f"{url}/graphql", json={"documentId": "kinds"}, headers=EVENT_STREAM, timeout=DEADLINE_SECONDS
        )
        assert list(sse_results(response)) == [{"data": {"__typename": "Query"}}]


def test_sse_stream_can_be_requested_by_get_except_for_mutations(watched: Watched) -> None:
    address, batch_id = f"{watched.url}/graphql", upload(watched, VALID_ITEM)
    parameters = {"query": PROGRESS, "variables": json.dumps({"id": batch_id})}
    with httpx.stream("GET", address, params=parameters, headers=EVENT_STREAM, timeout=DEADLINE_SECONDS) as response:
        assert next(sse_results(response))["data"]["batchProgress"]["status"] == "QUEUED"
    mutation = {"query": 'mutation { revertBatch(id: "1") { batch { id } } }'}
    (answer,) = sse_results(httpx.get(address, params=mutation, headers=EVENT_STREAM, timeout=DEADLINE_SECONDS))
    assert answer["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}


def test_sse_request_without_a_json_body_is_rejected(watched: Watched) -> None:
    for content, headers, status, code in [
        (b"{", {"Content-Type": "application/json"}, 400, "BAD_JSON"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ]:
        answer = httpx.post(
            f"{watched.url}/graphql", content=content, headers=EVENT_STREAM | headers, timeout=DEADLINE_SECONDS
        )
        assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"] == {"code": code}


def test_sse_request_for_the_query_cost_is_rejected_with_a_hint(watched: Watched) -> None:
    for wish in ("report", "only"):
        headers = EVENT_STREAM | {"GraphQL-Cost": wish}
        answer = httpx.post(
            f"{watched.url}/graphql", json={"query": PROGRESS}, headers=headers, timeout=DEADLINE_SECONDS
        )
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]) == (400, {"code": "BAD_PARAMETER"})
        assert "Accept: application/json" in error["message"]


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("seconds", [0.3, 20], ids=["times out", "disconnects"])
def test_access_log_reports_an_incomplete_body_once_at_info_level(
    database_url: str, caplog: pytest.LogCaptureFixture, accept: str, seconds: float
) -> None:
    caplog.set_level(logging.INFO, "ratesgraph.requests")
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nContent-Type: application/json\r\nContent-Length: 99"
    )
    with running_server(database_url, request_seconds=seconds) as client:
        url = client.http.base_url
        with socket.create_connection((url.host, url.port or 80), timeout=DEADLINE_SECONDS) as sock:
            sock.sendall(f"{head}\r\n\r\n{{".encode())
            if seconds < 1:
                assert b" 408 " in sock.recv(65_536)
        eventually(lambda: any(line.name == "ratesgraph.requests" for line in caplog.records), "no request is logged")
    (record,) = [line for line in caplog.records if line.name == "ratesgraph.requests"]
    assert (record.levelno, getattr(record, "status", 0)) == (logging.INFO, 408 if seconds < 1 else 0)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_websocket_from_a_foreign_origin_is_rejected(watched: Watched) -> None:
    address = f"{watched.url.rstrip('/').replace('http', 'ws', 1)}/graphql"
    with (
        pytest.raises(InvalidStatus) as caught,
        connect_socket(address, subprotocols=[PROTOCOL], origin=Origin("https://elsewhere.example")),
    ):
        pass
    assert caught.value.response.status_code == 403
