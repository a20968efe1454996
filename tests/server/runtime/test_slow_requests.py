"""Request timeout: incomplete requests end with 408 and do not delay other requests."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from server.runtime.request_parsing import MAX_HEAD_BYTES
from tests.support.batches.price_files import PREFLIGHT
from tests.support.batches.uploads import UPLOAD, VALID_ITEM
from tests.support.fixtures.server import Client, running_server
from tests.support.hostile import probe_liveness
from tests.support.http.raw_http import BODY, FORM, HEAD, SECONDS, connect, read_all, status_and_code
from tests.support.waiting import DEADLINE_SECONDS, eventually

EVENTS = HEAD + b"Accept: text/event-stream\r\n"
ANSWER = b'{"data":{"__typename":"Query"}}'


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with a request timeout of half a second for all tests."""
    with running_server(module_database_url, request_seconds=SECONDS) as client:
        yield client


LONG_SECONDS = 60 * SECONDS
"""Until then a request has timed out, on a machine that does many other things."""


def send_for(sock: socket.socket, data: bytes, seconds: float) -> None:
    """Send the data ten times a second for the given duration."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sock.sendall(data)
        time.sleep(0.1)


@pytest.mark.parametrize(
    "begun",
    [
        b"P",
        HEAD[:40],
        HEAD,
        HEAD + b"Content-Length: 27\r\n\r\n",
        HEAD + b"Content-Length: 27\r\n\r\n" + BODY[:10],
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n",
        EVENTS + b"Content-Length: 27\r\n\r\n" + BODY[:10],
        FORM + b"Content-Length: 5000\r\n\r\n--xyz\r\n",
    ],
)
def test_incomplete_request_times_out_with_408(client: Client, begun: bytes) -> None:
    with connect(client) as sock:
        began = time.monotonic()
        sock.sendall(begun)
        assert status_and_code(read_all(sock)) == (408, "REQUEST_TIMEOUT")
        # Event loop timers deviate by a millisecond.
        assert 0.9 * SECONDS < time.monotonic() - began < LONG_SECONDS


def test_request_timeout_is_not_extended_by_a_trickled_body(client: Client) -> None:
    with connect(client) as sock:
        sock.settimeout(0.05)
        sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        began = time.monotonic()
        answer = b""
        while not answer:
            assert time.monotonic() - began < LONG_SECONDS
            sock.sendall(b" ")
            try:
                answer = sock.recv(1_000)
            except TimeoutError:
                continue
        assert status_and_code(answer) == (408, "REQUEST_TIMEOUT")


def test_idle_connection_without_a_request_is_closed_without_a_response(client: Client) -> None:
    with connect(client) as sock:
        assert read_all(sock) == b""


def test_request_timeout_grows_with_the_body_bytes_received(client: Client) -> None:
    # 100,000 bytes extend the timeout by ten seconds.
    body = BODY.ljust(100_001)
    with connect(client) as sock:
        sock.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-1])
        sock.settimeout(2 * SECONDS)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(DEADLINE_SECONDS)
        sock.sendall(body[-1:])
        assert read_all(sock).endswith(ANSWER)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (CHUNKED + b"1;", b"a" * 10_000),
        (CHUNKED + b"1\r\n{\r\n0\r\n", b"X-Trailer: 1\r\n" * 800),
        (CHUNKED + b"1\r\n{\r\n0\r\nX-Trailer: ", b"a" * 10_000),
        (b"", b"\r\n" * 5_000),
    ],
    ids=["chunk extension", "trailers", "one trailer", "empty lines"],
)
def test_request_timeout_is_not_extended_by_bytes_outside_the_body(client: Client, begun: bytes, more: bytes) -> None:
    began = time.monotonic()
    with connect(client) as sock:
        sock.sendall(begun)
        with pytest.raises(ConnectionError):
            send_for(sock, more, LONG_SECONDS)
    assert time.monotonic() - began < LONG_SECONDS


def test_request_timeout_does_not_apply_to_the_response(client: Client) -> None:
    payload = client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 1_500})["uploadPrices"]
    assert payload["batch"]["status"] == "QUEUED"


def test_request_timeout_applies_to_each_request_on_a_keepalive_connection(client: Client) -> None:
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with connect(client) as sock:
        for _ in range(2):
            sock.sendall(request)
            assert sock.recv(65_536).endswith(ANSWER)
        sock.sendall(request[:-1])
        assert status_and_code(read_all(sock)) == (408, "REQUEST_TIMEOUT")


@pytest.mark.parametrize("begun", [HEAD + b"X-Long: ", b"GET /graphql?query="])
def test_oversized_request_head_is_rejected_with_431(client: Client, begun: bytes) -> None:
    with connect(client) as sock:
        sock.sendall(begun + b"x" * MAX_HEAD_BYTES)
        assert status_and_code(sock.recv(65_536)) == (431, "HEAD_TOO_LARGE")


def test_request_pipelined_before_invalid_http_is_answered_and_connection_closed(client: Client) -> None:
    with connect(client) as sock:
        sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + b"\0\0\0\0\r\n\r\n")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(ANSWER)


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"])
def test_invalid_http_is_rejected_with_400(client: Client, noise: bytes) -> None:
    with connect(client) as sock:
        sock.sendall(noise)
        assert status_and_code(read_all(sock)) == (400, "BAD_HTTP")


def test_slow_requests_do_not_delay_other_requests(client: Client) -> None:
    with ExitStack() as stack, probe_liveness(str(client.http.base_url)) as waits:
        eventually(lambda: waits, "no probe is answered")
        sockets = [stack.enter_context(connect(client)) for _ in range(200)]
        for sock in sockets:
            sock.sendall(HEAD + b"Content-Length: 27\r\n\r\n" + BODY[:10])
        answers = [read_all(sock) for sock in sockets]
    assert {status_and_code(answer) for answer in answers} == {(408, "REQUEST_TIMEOUT")}
    # The median is robust against pauses of a shared machine.
    assert sorted(waits)[len(waits) // 2] < SECONDS / 2


def test_disconnect_during_a_multipart_request_does_not_block_later_requests(client: Client) -> None:
    with connect(client) as sock:
        sock.sendall(FORM + b"Content-Length: 5000\r\n\r\n--xyz\r\n")
    form = {"operations": (None, "{}"), "map": (None, "{}")}
    assert client.http.post("/graphql", files=form, headers=PREFLIGHT).status_code == 400
