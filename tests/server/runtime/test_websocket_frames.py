"""WebSocket frames: floods of control frames and of small fragments.

Frames that arrive together are tested too.
"""

import json
import logging
import socket
import threading
from collections.abc import Iterator

import anyio.to_thread
import pytest
from websockets.frames import Frame

from server.runtime.websocket_protocol import WebSocketProtocol
from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all
from tests.support.http.slow_reading import (
    CLOSE,
    CONTINUATION,
    HANDSHAKE,
    HANDSHAKE_WITH_COMPRESSION,
    PING,
    PONG,
    TEXT,
    open_raw_websocket,
    subscribe_frame,
    websocket_frame,
)
from tests.support.waiting import DEADLINE_SECONDS

FLOOD = 1_300
"""Number of frames above the limit, small enough to fit into one read of the server."""
INIT = websocket_frame(TEXT, b'{"type":"connection_init"}')
BEGIN = websocket_frame(TEXT, b"", fin=False)
CLOSED = b"\x03\xf0RATE_LIMITED: "
"""Status 1008 and the beginning of the reason."""


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server."""
    with running_server(module_database_url) as client:
        yield client


def make_server_close(sock: socket.socket) -> None:
    """Open a WebSocket with compression, on which the server then sends its close frame."""
    sock.sendall(HANDSHAKE_WITH_COMPRESSION)
    assert b"permessage-deflate" in sock.recv(4_096)
    sock.sendall(websocket_frame(TEXT, b"not JSON"))
    assert b"must be valid JSON" in sock.recv(4_096)


def read_until_closed(sock: socket.socket) -> bytes:
    """Receive until the server closes or resets the connection."""
    received = b""
    try:
        while part := sock.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(
    ("begin", "frame"),
    [
        (b"", websocket_frame(PING)),
        (b"", websocket_frame(PING, b"x" * 100)),
        (b"", websocket_frame(PONG)),
        (BEGIN, websocket_frame(CONTINUATION, fin=False)),
        (BEGIN, websocket_frame(CONTINUATION, b"x", fin=False)),
        (b"", BEGIN + websocket_frame(PING) + websocket_frame(CONTINUATION)),
    ],
    ids=["ping", "long ping", "pong", "empty continuation", "small continuation", "fragmented empty messages"],
)
@pytest.mark.parametrize("is_initialized", [True, False])
def test_websocket_flood_of_small_frames_closes_the_connection(
    client: Client, begin: bytes, frame: bytes, is_initialized: bool
) -> None:
    with connect(client) as sock:
        sock.sendall(HANDSHAKE)
        assert sock.recv(4_096).startswith(b"HTTP/1.1 101 ")
        sock.sendall((INIT if is_initialized else b"") + begin + frame * FLOOD)
        received = read_until_closed(sock)
    # A message that is not JSON ends the connection before the flood of empty messages does.
    assert CLOSED in received or b"\x11\x30WebSocket message must be valid JSON" in received


def test_websocket_flood_before_the_handshake_is_complete_closes_the_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_go_on = threading.Event(), threading.Event()

    async def wait(*_: object) -> None:
        has_begun.set()
        await anyio.to_thread.run_sync(may_go_on.wait)

    monkeypatch.setattr("server.auth.access_control.AccessControl.check_rate_limit", wait)
    with connect(client) as sock:
        try:
            sock.sendall(HANDSHAKE)
            # Data that arrives together with the head would be dropped.
            assert has_begun.wait(DEADLINE_SECONDS)
            sock.sendall(websocket_frame(PING) * FLOOD)
        finally:
            may_go_on.set()
        received = read_until_closed(sock)
    assert received.startswith(b"HTTP/1.1 101 ")
    assert CLOSED in received


def test_websocket_flood_is_handled_in_steps_between_other_requests(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.runtime.websocket_protocol.MAX_SMALL_FRAMES", 1_000_000)
    steps: list[int] = []
    continue_later = WebSocketProtocol._continue_later

    def recorded(self: WebSocketProtocol) -> None:
        steps.append(self._step_frames)
        continue_later(self)

    monkeypatch.setattr(WebSocketProtocol, "_continue_later", recorded)
    with connect(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(websocket_frame(PONG) * 20_000 + websocket_frame(PING, b"last"))
        answer = b""
        while not answer.endswith(b"last"):
            answer += sock.recv(4_096)
    assert steps
    # A step ends with the slice in which it exceeds its number of frames.
    assert max(steps) < 64 + 1_024 / 6


@pytest.mark.parametrize(
    "late",
    [websocket_frame(TEXT, b"{}") * FLOOD, websocket_frame(TEXT, b" " * 900_000, compress=True) * 2],
    ids=["many", "large"],
)
def test_websocket_flood_after_the_close_frame_ends_the_connection(client: Client, late: bytes) -> None:
    with connect(client) as sock:
        make_server_close(sock)
        # Without a flood the server waits for 10 seconds for the close frame of the client.
        sock.settimeout(5)
        sock.sendall(late)
        assert read_until_closed(sock) == b""


def test_websocket_step_is_bounded_in_decompressed_bytes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.runtime.websocket_protocol.MAX_SMALL_FRAMES", 1_000_000)
    sizes: list[int] = []
    parse, handle_text = WebSocketProtocol._parse, WebSocketProtocol.handle_text

    def parse_recorded(self: WebSocketProtocol) -> None:
        sizes.append(0)
        parse(self)

    def handle_text_recorded(self: WebSocketProtocol, frame: Frame) -> None:
        sizes[-1] += len(frame.data)
        handle_text(self, frame)

    monkeypatch.setattr(WebSocketProtocol, "_parse", parse_recorded)
    monkeypatch.setattr(WebSocketProtocol, "handle_text", handle_text_recorded)
    with connect(client) as sock:
        make_server_close(sock)
        sock.sendall(websocket_frame(TEXT, b" " * 900_000, compress=True) * 20 + websocket_frame(CLOSE, b"\x03\xe8"))
        read_until_closed(sock)
    assert sum(sizes) > 20 * 900_000
    # A step ends with the slice in which it exceeds its limit of half a megabyte. One slice may contain two of the frames.
    assert max(sizes) < 2_200_000


@pytest.mark.parametrize(
    "frames",
    [
        websocket_frame(TEXT, b"\xff"),
        websocket_frame(TEXT, b"\xc3", fin=False) + websocket_frame(CONTINUATION, b"\x28"),
    ],
    ids=["whole", "fragmented"],
)
def test_websocket_text_that_is_not_utf8_closes_without_an_error_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture, frames: bytes
) -> None:
    with connect(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(frames)
        assert read_until_closed(sock) == b"\x88\x14\x03\xeftext must be UTF-8"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_websocket_pings_below_the_limit_are_answered_in_order(client: Client) -> None:
    pings = [b"%03d" % number for number in range(500)]
    with connect(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(b"".join(websocket_frame(PING, ping) for ping in pings))
        expected = b"".join(b"\x8a\x03" + ping for ping in pings)
        received = b""
        while len(received) < len(expected):
            received += sock.recv(65_536)
    assert received == expected


def test_websocket_messages_that_arrive_together_are_all_answered(client: Client) -> None:
    with connect(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(b"".join(subscribe_frame("{ __typename }", f"n{number}") for number in range(80)))
        answer = b""
        while answer.count(b'"complete"') < 80:
            answer += sock.recv(65_536)
    for number in range(80):
        assert b'{"id":"n%d","type":"next","payload":{"data":{"__typename":"Query"}}}' % number in answer


def test_websocket_message_in_many_large_fragments_is_accepted(client: Client) -> None:
    payload = {"query": "{ __typename } # " + "x" * 40_000, "variables": {"x": "y" * 850_000}}
    message = json.dumps({"id": "1", "type": "subscribe", "payload": payload}).encode()
    parts = [message[start : start + 600] for start in range(0, len(message), 600)]
    assert len(parts) > 1_400
    frames = [
        websocket_frame(CONTINUATION if number else TEXT, part, fin=number == len(parts) - 1)
        for number, part in enumerate(parts)
    ]
    with connect(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(b"".join(frames))
        answer = b""
        while b'"complete"' not in answer:
            answer += sock.recv(65_536)
    assert b'"data":{"__typename":"Query"}' in answer


def test_websocket_close_frame_behind_other_frames_is_answered(client: Client) -> None:
    with connect(client) as sock:
        open_raw_websocket(sock)
        sock.sendall(websocket_frame(PONG) * 500 + websocket_frame(CLOSE, b"\x03\xe8"))
        assert read_all(sock) == b"\x88\x02\x03\xe8"
