"""Repeated headers: list headers are joined, singleton headers use the last line."""

import pytest

from server.http.content_negotiation import accepts_gzip, parse_accept
from server.http.request_headers import parse_headers

Raw = list[tuple[bytes, bytes]]
ONCE: Raw = [
    (b"host", b"localhost"),
    (b"accept", b"application/json"),
    (b"authorization", b"Bearer a"),
    (b"if-none-match", b'"a", "b"'),
]


def test_headers_sent_once_are_unchanged() -> None:
    assert parse_headers(ONCE) == dict(ONCE)
    assert parse_headers([]) == {}


@pytest.mark.parametrize(
    "name", ["accept", "accept-encoding", "if-none-match", "forwarded", "x-forwarded-for", "sec-websocket-protocol"]
)
def test_list_headers_are_joined_in_order(name: str) -> None:
    lines = [(name.encode(), value) for value in (b"a", b"b;q=0.5", b"c, d")]
    assert parse_headers([lines[0], *ONCE[:1], *lines[1:]]) == {
        b"host": b"localhost",
        name.encode(): b"a, b;q=0.5, c, d",
    }


@pytest.mark.parametrize(
    "name",
    ["authorization", "content-type", "content-length", "host", "origin", "sec-fetch-site", "graphql-cost", "x-other"],
)
def test_singleton_headers_use_the_last_line(name: str) -> None:
    lines = [(name.encode(), value) for value in (b"first", b"second")]
    assert parse_headers([lines[0], (b"accept", b"*/*"), lines[1]]) == {name.encode(): b"second", b"accept": b"*/*"}


def test_joined_lists_are_negotiated_as_one() -> None:
    headers = parse_headers(
        [
            (b"accept", b"text/plain"),
            (b"accept-encoding", b"br"),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"gzip"),
        ]
    )
    assert parse_accept(headers[b"accept"]).media_type == b"application/json"
    assert accepts_gzip(headers[b"accept-encoding"])
