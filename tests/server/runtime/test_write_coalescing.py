"""Write coalescing: the writes of an iteration are sent together, in order, without delay."""

import asyncio
import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.runtime.write_coalescing import MAX_BUFFERED_BYTES, WriteCoalescingTransport
from tests.support.fixtures.server import Client
from tests.support.waiting import DEADLINE_SECONDS

REQUEST_BODY = json.dumps({"query": "{ locations(first: 1) { totalCount } }"}).encode()
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
    REQUEST_BODY
)


class Recorder(asyncio.Transport):
    """Transport that records its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Record the data."""
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        """Reject further writes."""
        self.closed = True

    def is_closing(self) -> bool:
        """Return whether the transport is closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


def open_transport() -> tuple[Recorder, WriteCoalescingTransport]:
    """Return a recording transport and a coalescing transport around it."""
    recorder = Recorder()
    return recorder, WriteCoalescingTransport(recorder, asyncio.get_running_loop())


@pytest.mark.anyio
async def test_write_coalescing_joins_the_writes_of_one_event_loop_iteration() -> None:
    recorder, transport = open_transport()
    for part in (b"head", b"", b"body"):
        transport.write(part)
    assert recorder.written == []
    await asyncio.sleep(0)
    assert recorder.written == [b"headbody"]
    transport.write(b"more")
    await asyncio.sleep(0)
    assert recorder.written == [b"headbody", b"more"]


@pytest.mark.anyio
async def test_write_coalescing_drops_long_data_for_a_closed_transport() -> None:
    recorder, transport = open_transport()
    transport.write(b"head")
    transport.close()
    transport.write(b"x" * (MAX_BUFFERED_BYTES + 1))
    assert recorder.written == [b"head"]


@pytest.mark.anyio
async def test_write_coalescing_flushes_immediately_above_the_buffer_limit() -> None:
    recorder, transport = open_transport()
    long = b"x" * (MAX_BUFFERED_BYTES + 1)
    transport.write(b"head")
    transport.write(long)
    assert recorder.written == [b"head", long]
    assert recorder.written[1] is long
    for _ in range(MAX_BUFFERED_BYTES // 1_000 + 1):
        transport.write(b"y" * 1_000)
    assert len(recorder.written) == 3


@pytest.mark.anyio
async def test_write_coalescing_flushes_before_close_and_ignores_later_writes() -> None:
    recorder, transport = open_transport()
    transport.write(b"last")
    transport.close()
    assert (recorder.written, recorder.closed) == ([b"last"], True)
    transport.write(b"too late")
    await asyncio.sleep(0)
    assert recorder.written == [b"last"]


@given(
    st.lists(st.one_of(st.none(), st.sampled_from([0, 1, 1_000, 40_000, MAX_BUFFERED_BYTES, MAX_BUFFERED_BYTES + 1])))
)
def test_write_coalescing_preserves_all_bytes_in_order(steps: list[int | None]) -> None:
    parts = [bytes([number % 256]) * (size or 0) for number, size in enumerate(steps)]

    async def write() -> Recorder:
        recorder, transport = open_transport()
        for part, size in zip(parts, steps, strict=True):
            if size is None:
                await asyncio.sleep(0)
            else:
                transport.write(part)
        transport.close()
        return recorder

    assert b"".join(asyncio.run(write()).written) == b"".join(parts)


def test_write_coalescing_preserves_the_order_of_pipelined_responses(client: Client) -> None:
    address = (client.http.base_url.host, client.http.base_url.port)
    with socket.create_connection(address, timeout=DEADLINE_SECONDS) as connection:
        connection.sendall((POST + REQUEST_BODY) * 3 + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while chunk := connection.recv(1 << 16):
            received += chunk
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.count(b'{"data":{"locations":{"totalCount":') == 3
    assert received.endswith(b"alive\n")


def test_write_coalescing_delivers_response_head_and_body_together(client: Client) -> None:
    address = (client.http.base_url.host, client.http.base_url.port)
    with socket.create_connection(address, timeout=DEADLINE_SECONDS) as connection:
        for _ in range(20):
            connection.sendall(POST + REQUEST_BODY)
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert json.loads(body).keys() == {"data"}
