"""Clients that do not read their response.

They are disconnected after a time limit, or earlier to make room.
"""

import json
import pkgutil
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from graph.execution.streaming import StreamingSchema
from server.graphql_api.websocket_handler import MAX_PENDING_RESULTS
from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all
from tests.support.http.slow_reading import (
    LARGE,
    MEDIUM,
    TEXT,
    connect_with_small_buffers,
    get_request,
    graphql_request,
    is_reset,
    open_raw_websocket,
    seconds_until_reset,
    subscribe_frame,
    websocket_frame,
)
from tests.support.streams import open_socket, receive, subscribe
from tests.support.waiting import eventually

STALL_SECONDS = 0.4
PATIENT_SECONDS = 4.0
LONG_STALL_SECONDS = 24.0
"""A connection is stuck after a sixth of it, and reset at the latest after the whole."""
STUCK_SECONDS, EARLY_SECONDS = LONG_STALL_SECONDS / 6, LONG_STALL_SECONDS * 5 / 6
TYPENAME = "{ __typename }"
EVENTS = "Accept: text/event-stream"


@pytest.fixture(scope="module")
def lane_url(module_database_url: str) -> str:
    """Return a database with two ports."""
    create_locations(module_database_url)
    return module_database_url


@pytest.fixture(scope="module")
def client(lane_url: str) -> Iterator[Client]:
    """Yield a server with a short time limit for readers."""
    with running_server(lane_url, stall_seconds=STALL_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def patient_client(lane_url: str) -> Iterator[Client]:
    """Yield a server with a time limit that only a stalled reader exceeds."""
    with running_server(lane_url, stall_seconds=PATIENT_SECONDS) as client:
        yield client


@pytest.mark.parametrize("field", ["Accept: application/json", EVENTS, "Connection: close"])
def test_client_that_does_not_read_its_response_is_disconnected(client: Client, field: str) -> None:
    with connect_with_small_buffers(client) as sock:
        sock.sendall(graphql_request(LARGE, field))
        assert seconds_until_reset(sock) > STALL_SECONDS / 2


def test_client_that_trickles_its_response_is_disconnected(client: Client) -> None:
    with connect_with_small_buffers(client) as sock:
        sock.sendall(graphql_request(LARGE))

        def trickle() -> bool:
            sock.recv(10)
            return is_reset(STALL_SECONDS / 10, sock)

        eventually(trickle, "the connection is not reset")


def test_client_that_reads_slowly_but_steadily_receives_the_whole_response(patient_client: Client) -> None:
    with connect_with_small_buffers(patient_client) as sock:
        sock.sendall(graphql_request(MEDIUM, "Connection: close"))
        began, answer = time.monotonic(), b""
        while part := sock.recv(4_096):
            answer += part
            time.sleep(0.15)
    assert time.monotonic() - began > 1.5 * PATIENT_SECONDS
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["averagePrices"]) == 3_659


def test_client_that_pauses_for_less_than_the_time_limit_keeps_its_connection(patient_client: Client) -> None:
    with connect_with_small_buffers(patient_client) as sock:
        sock.sendall(graphql_request(LARGE) + get_request("/livez"))
        time.sleep(PATIENT_SECONDS / 3)
        answer = b""
        while not answer.endswith(b"alive\n"):
            part = sock.recv(65_536)
            assert part
            answer += part


def test_websocket_client_that_does_not_read_is_disconnected(client: Client) -> None:
    with connect_with_small_buffers(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(subscribe_frame(LARGE, "1"))
        assert seconds_until_reset(sock) > STALL_SECONDS / 2


def test_pipelining_client_that_does_not_read_is_disconnected(client: Client) -> None:
    with connect_with_small_buffers(client) as sock:
        sock.sendall(graphql_request(MEDIUM) * 20)
        assert seconds_until_reset(sock) > STALL_SECONDS / 2


def test_stuck_connection_makes_room_at_the_connection_limit(lane_url: str) -> None:
    with (
        running_server(lane_url, max_connections=3, stall_seconds=LONG_STALL_SECONDS, request_seconds=60) as client,
        ExitStack() as opened,
    ):
        idle = opened.enter_context(connect(client))
        stuck = [opened.enter_context(connect_with_small_buffers(client)) for _ in range(2)]
        for sock in stuck:
            sock.sendall(graphql_request(LARGE))
        for sock in stuck:
            assert sock.recv(1, socket.MSG_PEEK), "the response has not begun"
        time.sleep(1.2 * STUCK_SECONDS)
        assert client.http.post("/graphql", json={"query": TYPENAME}).status_code == 200
        assert seconds_until_reset(*stuck) < EARLY_SECONDS - STUCK_SECONDS
        idle.sendall(get_request("/livez"))
        assert idle.recv(65_536).endswith(b"alive\n")


def test_slowest_readers_are_disconnected_above_the_limit_of_unread_bytes(lane_url: str) -> None:
    with (
        running_server(lane_url, max_unread_bytes=1_000_000, stall_seconds=LONG_STALL_SECONDS) as client,
        ExitStack() as opened,
    ):
        stuck = [opened.enter_context(connect_with_small_buffers(client)) for _ in range(3)]
        for sock in stuck:
            sock.sendall(graphql_request(LARGE))
        assert seconds_until_reset(*stuck) < EARLY_SECONDS


def test_websocket_queries_wait_while_their_client_does_not_read(
    lane_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    stream = StreamingSchema.stream

    async def counted(self: StreamingSchema, query: str, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401
        started.append(query)
        return await stream(self, query, *args, **options)

    monkeypatch.setattr(StreamingSchema, "stream", counted)
    with running_server(lane_url) as client, connect_with_small_buffers(client) as sock:
        open_raw_websocket(sock)
        for number in range(20):
            sock.sendall(subscribe_frame(MEDIUM, str(number)))
        for _ in range(20):
            assert client.http.get("/livez").status_code == 200
        assert 0 < len(started) <= 5
        end, tail, completed = b'"type":"complete"', b"", 0
        while completed < 20:
            received = tail + sock.recv(65_536)
            completed += received.count(end)
            tail = received[1 - len(end) :]
    assert len(started) == 20


@pytest.mark.parametrize(
    ("operation", "place"),
    [
        ("mutation { revertBatch(id: 999) { userErrors { code } } }", "resolvers.uploads.batches.revert_batch"),
        ("subscription { batchProgress(id: 1) { status } }", "graph.subscription.to_batch"),
    ],
)
def test_websocket_mutations_and_events_wait_while_their_client_does_not_read(
    lane_url: str, monkeypatch: pytest.MonkeyPatch, operation: str, place: str
) -> None:
    computed: list[object] = []
    function = pkgutil.resolve_name(place)

    def counted(*args: object) -> object:
        computed.append(args)
        return function(*args)

    with running_server(lane_url) as client, connect_with_small_buffers(client) as sock:
        upload(client, VALID_ITEM, waitMs=0, idempotencyKey="unread")
        monkeypatch.setattr(place, counted)
        open_raw_websocket(sock)
        sock.sendall(subscribe_frame(LARGE, "large"))
        assert sock.recv(1, socket.MSG_PEEK), "the response has not begun"
        for number in range(20):
            sock.sendall(subscribe_frame(operation, str(number)))
        eventually(lambda: computed, "nothing is computed")
        for _ in range(20):
            assert client.http.get("/livez").status_code == 200
        assert len(computed) <= MAX_PENDING_RESULTS
        # None of these messages waits for the results.
        sock.sendall(websocket_frame(TEXT, b'{"type":"ping"}'))
        for number in range(20):
            sock.sendall(websocket_frame(TEXT, json.dumps({"id": str(number), "type": "complete"}).encode()))
        for _ in range(20):
            assert client.http.get("/livez").status_code == 200
        sock.sendall(subscribe_frame(TYPENAME, "last"))
        answer = b""
        while b'"id":"last","type":"complete"' not in answer[-1_000:]:
            answer += sock.recv(65_536)
    assert b'{"__typename":"Query"}' in answer
    assert b'{"type":"pong"}' in answer
    # The operations were completed before the client read. A slot that one of them frees may serve another meanwhile.
    assert len(computed) < 20


def test_websocket_mutations_that_wait_for_their_batch_do_not_delay_others(client: Client) -> None:
    with open_socket(str(client.http.base_url)) as opened:
        for number in range(2 * MAX_PENDING_RESULTS):
            subscribe(opened, UPLOAD, {"input": {"prices": [VALID_ITEM], "waitMs": 4_000}}, str(number))
        subscribe(opened, TYPENAME, {}, "query")
        assert receive(opened)["id"] == "query"
        completed = 0
        while completed <= 2 * MAX_PENDING_RESULTS:
            completed += receive(opened)["type"] == "complete"


def test_messages_of_a_websocket_that_wait_are_unread_bytes(lane_url: str) -> None:
    with (
        running_server(lane_url, max_unread_bytes=1_000_000, stall_seconds=LONG_STALL_SECONDS) as client,
        connect_with_small_buffers(client) as sock,
    ):
        open_raw_websocket(sock)
        for number in range(3):
            sock.sendall(subscribe_frame(LARGE, str(number)))
        assert seconds_until_reset(sock) < EARLY_SECONDS


def test_event_that_waits_is_unread_bytes(lane_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def results(*_: object, **__: object) -> AsyncGenerator[ExecutionResult, None]:
        async def events() -> AsyncGenerator[ExecutionResult, None]:
            for _ in range(2):
                yield ExecutionResult({"text": "x" * 600_000}, None)

        return events()

    monkeypatch.setattr(StreamingSchema, "stream", results)
    with (
        running_server(lane_url, max_unread_bytes=1_000_000, stall_seconds=LONG_STALL_SECONDS) as client,
        connect_with_small_buffers(client) as sock,
    ):
        sock.sendall(graphql_request(TYPENAME, EVENTS))
        assert seconds_until_reset(sock) < EARLY_SECONDS


def test_event_stream_computes_one_event_ahead_of_its_client(
    patient_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []

    async def results(*_: object, **__: object) -> AsyncGenerator[ExecutionResult, None]:
        async def events() -> AsyncGenerator[ExecutionResult, None]:
            for number in range(10):
                computed.append(number)
                yield ExecutionResult({"text": "x" * 5_000_000}, None)

        return events()

    monkeypatch.setattr(StreamingSchema, "stream", results)
    with connect_with_small_buffers(patient_client) as sock:
        sock.sendall(graphql_request(TYPENAME, EVENTS))
        eventually(lambda: len(computed) > 1, "no event is computed ahead")
        assert not is_reset(PATIENT_SECONDS / 4, sock)
        # The first event is in the buffer of the transport.
        assert computed == [0, 1]


def test_reading_clients_are_served_while_others_do_not_read(lane_url: str) -> None:
    with running_server(lane_url) as client, ExitStack() as opened:
        for _ in range(30):
            opened.enter_context(connect_with_small_buffers(client)).sendall(graphql_request(MEDIUM))
        answers: list[bytes] = []

        def ask() -> None:
            with connect(client) as sock:
                sock.sendall(graphql_request(MEDIUM, "Connection: close"))
                answers.append(read_all(sock))

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 5
