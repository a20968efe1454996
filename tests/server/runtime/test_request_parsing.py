"""Request heads that RFC 9110 and RFC 9112 forbid.

Each is refused with a code before the application receives it.
"""

import json
import socket
from collections.abc import Iterator

import pytest

from server.runtime.request_parsing import MAX_HEAD_BYTES
from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import BODY, connect, read_all, status_and_code

POST = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
HOST, LENGTH, END = b"Host: localhost\r\n", b"Content-Length: %d\r\n" % len(BODY), b"\r\n"
SENT = HOST + LENGTH
H2C = POST.replace(b"close", b"Upgrade, HTTP2-Settings, close") + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
"""Some clients offer HTTP/2 with every request, among them that of the Java library, and `curl --http2`."""
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD = (400, "BAD_HTTP")
UNIMPLEMENTED, FAILED = (501, "UNSUPPORTED_TRANSFER_ENCODING"), (417, "EXPECTATION_FAILED")
UNSUPPORTED = (415, "UNSUPPORTED_CONTENT_ENCODING")

REFUSED = {
    # RFC 9112, section 3.2.
    "no Host": (POST + LENGTH + END + BODY, BAD),
    "two Hosts": (POST + SENT + b"Host: elsewhere.example\r\n" + END + BODY, BAD),
    "two equal Hosts": (POST + SENT + HOST + END + BODY, BAD),
    "an empty Host": (POST + LENGTH + b"Host:\r\n" + END + BODY, BAD),
    "two names in Host": (POST + LENGTH + b"Host: a.example, b.example\r\n" + END + BODY, BAD),
    "a Host with a path": (POST + LENGTH + b"Host: localhost/x\r\n" + END + BODY, BAD),
    "a Host with a user": (POST + LENGTH + b"Host: a@localhost\r\n" + END + BODY, BAD),
    "a Host with a blank": (POST + LENGTH + b"Host: a localhost\r\n" + END + BODY, BAD),
    "a long Host": (POST + LENGTH + b"Host: %b\r\n" % (b"a" * 300) + END + BODY, BAD),
    "a long port in Host": (POST + LENGTH + b"Host: localhost:999999\r\n" + END + BODY, BAD),
    "another host in the target": (
        POST.replace(b"/graphql", b"http://elsewhere.example/graphql") + SENT + END + BODY,
        BAD,
    ),
    # RFC 9112, sections 6.1 and 7.
    "gzip before chunked": (POST + HOST + b"Transfer-Encoding: gzip, chunked\r\n" + END + CHUNKS, UNIMPLEMENTED),
    "gzip and chunked": (POST + HOST + b"Transfer-Encoding: gzip\r\n" + CHUNKED + END + CHUNKS, UNIMPLEMENTED),
    "an unknown transfer coding": (POST + HOST + b"Transfer-Encoding: foo\r\n" + END + BODY, UNIMPLEMENTED),
    "an identity transfer coding": (POST + HOST + b"Transfer-Encoding: identity\r\n" + END + BODY, UNIMPLEMENTED),
    # RFC 9110, sections 8.4 and 10.1.1.
    "gzip": (POST + SENT + b"Content-Encoding: gzip\r\n" + END + BODY, UNSUPPORTED),
    "an unknown content coding": (POST + SENT + b"Content-Encoding: identity, foo\r\n" + END + BODY, UNSUPPORTED),
    "an unknown expectation": (POST + SENT + b"Expect: 200-ok\r\n" + END + BODY, FAILED),
    "a further expectation": (POST + SENT + b"Expect: 100-continue\r\nExpect: foo\r\n" + END + BODY, FAILED),
    # Ambiguous lengths and lines (request smuggling), which the parser refuses.
    "both lengths": (POST + SENT + CHUNKED + END + CHUNKS, BAD),
    "both lengths, chunked first": (POST + CHUNKED + SENT + END + CHUNKS, BAD),
    "chunked twice": (POST + HOST + CHUNKED * 2 + END + CHUNKS, BAD),
    "chunked before another coding": (POST + HOST + b"Transfer-Encoding: chunked, foo\r\n" + END + CHUNKS, BAD),
    "two lengths": (POST + SENT + b"Content-Length: 3\r\n" + END + BODY, BAD),
    "two equal lengths": (POST + SENT + LENGTH + END + BODY, BAD),
    "a list of lengths": (POST + HOST + b"Content-Length: 27, 27\r\n" + END + BODY, BAD),
    "a signed length": (POST + HOST + b"Content-Length: +27\r\n" + END + BODY, BAD),
    "a hexadecimal length": (POST + HOST + b"Content-Length: 0x1b\r\n" + END + BODY, BAD),
    "a huge length": (POST + HOST + b"Content-Length: 99999999999999999999\r\n" + END + BODY, BAD),
    "a folded line": (POST + SENT + b"X-Long: a\r\n b\r\n" + END + BODY, BAD),
    "a folded length": (POST + HOST + b"Content-Length:\r\n 27\r\n" + END + BODY, BAD),
    "a blank before the colon": (POST + SENT + b"X-Blank : a\r\n" + END + BODY, BAD),
    "a blank before the first header": (POST.replace(b"Content-Type", b" Content-Type") + SENT + END + BODY, BAD),
    "a name without a colon": (POST + SENT + b"X-Name\r\n" + END + BODY, BAD),
    "an empty name": (POST + SENT + b": a\r\n" + END + BODY, BAD),
    "a zero byte in a value": (POST + SENT + b"X-Zero: a\0b\r\n" + END + BODY, BAD),
    "a carriage return in a value": (POST + SENT + b"X-Return: a\rb\r\n" + END + BODY, BAD),
    "lines without carriage returns": ((POST + SENT + END).replace(b"\r\n", b"\n") + BODY, BAD),
    "a length above that of the chunk": (POST + HOST + CHUNKED + END + b"1b;\n" + BODY + b"\r\n0\r\n\r\n", BAD),
    "an unknown method": ((POST + SENT + END).replace(b"POST", b"PO ST", 1) + BODY, BAD),
    "a later version": (
        (POST + SENT + END).replace(b"HTTP/1.1", b"HTTP/2.0", 1) + BODY,
        (505, "UNSUPPORTED_HTTP_VERSION"),
    ),
    "a tunnel": (b"CONNECT elsewhere.example:443 HTTP/1.1\r\n" + HOST + END, (405, "METHOD_NOT_ALLOWED")),
}
ACCEPTED = {
    "a length": POST + SENT + END + BODY,
    "chunks": POST + HOST + b"Transfer-Encoding: Chunked\r\n" + END + CHUNKS,
    "an expectation": POST + SENT + b"Expect: 100-Continue\r\n" + END + BODY,
    "an identity content coding": POST + SENT + b"Content-Encoding: Identity\r\n" + END + BODY,
    "a port": POST + LENGTH + b"Host: [::1]:8000\r\n" + END + BODY,
    "an underscore": POST + LENGTH + b"Host: rates_graph.internal:80\r\n" + END + BODY,
    "HTTP/1.0 without Host": (POST + LENGTH + END).replace(b"HTTP/1.1", b"HTTP/1.0", 1) + BODY,
    "an offer of another protocol": H2C + SENT + END + BODY,
    "an offer of another protocol, in chunks": H2C + HOST + CHUNKED + END + CHUNKS,
}
ANSWER = {"data": {"__typename": "Query"}}


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server that closes unanswered connections early."""
    with running_server(module_database_url, request_seconds=2) as client:
        yield client


def send_query(client: Client, request: bytes) -> bytes:
    """Send a raw request and return all that the server sends before it closes the connection."""
    with connect(client) as sock:
        sock.sendall(request)
        return read_all(sock)


@pytest.mark.parametrize("kind", REFUSED)
def test_invalid_request_head_is_refused_with_a_code(client: Client, kind: str) -> None:
    request, refusal = REFUSED[kind]
    if refusal == UNSUPPORTED:
        # The application refuses these, so the connection can be used again. The requests ask to close it.
        request = request.replace(b"Connection: close", b"Connection: Close")
    assert status_and_code(send_query(client, request)) == refusal


@pytest.mark.parametrize("kind", ACCEPTED)
def test_valid_request_head_is_accepted(client: Client, kind: str) -> None:
    answer = send_query(client, ACCEPTED[kind])
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b" 200 OK\r\n" in head
    assert json.loads(body) == ANSWER


def padded(length: int) -> bytes:
    """Return a request with a head of this length."""
    head = POST + SENT
    return head + b"X-Long: %b\r\n\r\n" % (b"x" * (length - len(head) - len(b"X-Long: \r\n\r\n"))) + BODY


@pytest.mark.parametrize("piece", [300_000, 50_000])
@pytest.mark.parametrize(
    ("length", "is_accepted"),
    [(MAX_HEAD_BYTES, True), (MAX_HEAD_BYTES + 1, False), (70_004, False)],
)
def test_request_head_is_limited_however_it_arrives(client: Client, length: int, piece: int, is_accepted: bool) -> None:
    request = padded(length)
    with connect(client) as sock:
        for start in range(0, len(request), piece):
            try:
                sock.sendall(request[start : start + piece])
            except ConnectionError:
                break
        answer = read_all(sock)
    if is_accepted:
        assert json.loads(answer.rpartition(b"\r\n\r\n")[2]) == ANSWER
    else:
        assert status_and_code(answer) == (431, "HEAD_TOO_LARGE")


def test_request_with_a_large_body_in_one_piece_is_accepted(client: Client) -> None:
    body = BODY.ljust(300_000)
    request = POST + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert json.loads(send_query(client, request).rpartition(b"\r\n\r\n")[2]) == ANSWER


def test_invalid_head_after_a_request_leaves_the_first_response_intact(client: Client) -> None:
    first = (POST + SENT + END).replace(b"Connection: close\r\n", b"") + BODY
    answer = send_query(client, first + POST + LENGTH + END + BODY)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2]) == ANSWER


def test_refused_content_coding_names_the_accepted_one(client: Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "br"}
    response = client.http.post("/graphql", content=BODY, headers=headers)
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")


def with_trailers(trailers: bytes, head: bytes = HOST) -> bytes:
    """Return a chunked request with trailer fields."""
    return POST + head + CHUNKED + END + CHUNKS[:-2] + trailers + END


@pytest.mark.parametrize(
    "trailer",
    [
        b"Host: elsewhere.example",
        b"Origin: http://elsewhere.example",
        b"Authorization: Bearer unknown",
        b"Content-Type: text/plain",
        b"Content-Encoding: gzip",
        b"Accept: text/plain",
        b"X-Forwarded-For: 203.0.113.1",
    ],
)
def test_trailer_field_does_not_act_as_a_header(client: Client, trailer: bytes) -> None:
    with connect(client) as sock:
        sock.sendall(with_trailers(trailer + b"\r\n"))
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"data":{"__typename":"Query"}}')


def test_trailer_host_does_not_make_a_request_local(module_database_url: str) -> None:
    body = b'{"query": "{ batches { totalCount } }"}'
    chunks = b"%x\r\n%b\r\n0\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n" % (len(body), body)
    with running_server(module_database_url, writes_are_open=True) as client, connect(client) as sock:
        sock.sendall(POST + b"Host: elsewhere.example\r\n" + CHUNKED + END + chunks)
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"UNAUTHENTICATED" in answer


@pytest.mark.parametrize(
    ("begun", "more"),
    [(b"0\r\n", b"a: b\r\n" * 100), (b"0\r\nX-Long: ", b"a" * 1_000), (b"1;", b"a" * 1_000)],
    ids=["trailers", "one trailer", "chunk extension"],
)
def test_bytes_outside_the_body_are_limited(client: Client, begun: bytes, more: bytes) -> None:
    with connect(client) as sock, pytest.raises(ConnectionError):
        # The buffers of the connection take some megabytes more than the server reads.
        send_repeatedly(sock, POST + HOST + CHUNKED + END + begun, more, 100 * MAX_HEAD_BYTES)


def send_repeatedly(sock: socket.socket, begun: bytes, more: bytes, size: int) -> None:
    """Send the beginning of a request, then the same bytes again and again up to a size."""
    sock.sendall(begun)
    for _ in range(0, size, len(more)):
        sock.sendall(more)


def test_chunk_headers_of_a_long_body_are_not_limited(client: Client) -> None:
    body = BODY.ljust(2 * MAX_HEAD_BYTES)
    chunks = b"".join(b"2\r\n%b\r\n" % body[start : start + 2] for start in range(0, len(body), 2)) + b"0\r\n\r\n"
    with connect(client) as sock:
        sock.sendall(POST + HOST + CHUNKED + END + chunks)
        assert read_all(sock).endswith(b'{"data":{"__typename":"Query"}}')
