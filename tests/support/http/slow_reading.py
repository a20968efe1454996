"""Clients that do not read: sockets with the smallest buffers, and large responses."""

import json
import select
import socket
import struct
import time
import zlib

from tests.support.fixtures.server import Client
from tests.support.waiting import DEADLINE_SECONDS

LANE = '(dateFrom: "2010-01-01", dateTo: "2020-01-07", origin: "CNSGH", destination: "NLRTM")'
MEDIUM = f"{{ averagePrices{LANE} {{ day averagePrice priceCount }} }}"
"""Query with a response of some 200 kB for any database with this lane."""
LARGE = f"{{ {' '.join(f'a{number}: {MEDIUM[2:-2]}' for number in range(3))} }}"
"""The same three times."""
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
HANDSHAKE_WITH_COMPRESSION = HANDSHAKE.replace(
    b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n"
)
CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA


def connect_with_small_buffers(client: Client, source: str = "") -> socket.socket:
    """Open a connection on which neither kernel buffers more than some kilobytes.

    On loopback they would otherwise hold megabytes that the client has not read.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500)
    sock.settimeout(DEADLINE_SECONDS)
    sock.bind((source, 0))
    sock.connect((client.http.base_url.host, client.http.base_url.port or 80))
    return sock


def graphql_request(query: str, *fields: str) -> bytes:
    """Return the bytes of a POST request."""
    body = json.dumps({"query": query}).encode()
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def get_request(path: str) -> bytes:
    """Return the bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def seconds_until_reset(*socks: socket.socket) -> float:
    """Wait, without reading, until the server resets one of the connections; return the seconds."""
    began = time.monotonic()
    assert is_reset(DEADLINE_SECONDS, *socks), "the server does not reset the connection"
    return time.monotonic() - began


def is_reset(timeout: float, *socks: socket.socket) -> bool:
    """Return whether the server resets one of the unread connections within the timeout."""
    poll = select.poll()
    for sock in socks:
        poll.register(sock, 0)
    return bool(poll.poll(timeout * 1_000))


def websocket_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, compress: bool = False) -> bytes:
    """Return the bytes of a client's WebSocket frame (RFC 6455, section 5.2).

    A compressed frame follows RFC 7692.
    """
    if compress:
        compressor = zlib.compressobj(wbits=-12)
        payload = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
    length = len(payload)
    head = bytes([fin << 7 | compress << 6 | opcode, 0x80 | min(length, 126)])
    return head + (b"" if length < 126 else struct.pack("!H", length)) + b"\0\0\0\0" + payload


def open_raw_websocket(sock: socket.socket) -> None:
    """Perform the handshakes of WebSocket and of the GraphQL protocol."""
    sock.sendall(HANDSHAKE)
    assert sock.recv(4_096).startswith(b"HTTP/1.1 101 ")
    sock.sendall(websocket_frame(TEXT, b'{"type":"connection_init"}'))
    assert b"connection_ack" in sock.recv(4_096)


def subscribe_frame(query: str, id_: str) -> bytes:
    """Return the bytes of a frame that starts an operation."""
    message = {"id": id_, "type": "subscribe", "payload": {"query": query}}
    return websocket_frame(TEXT, json.dumps(message).encode())
