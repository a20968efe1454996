"""Which form an answer has, and which bodies are JSON (https://graphql.github.io/graphql-over-http/draft/).

Media types are compared as RFC 9110 (12.5.1) has it: whole, without regard to case, by their weights. A part of a name is
no name: by such a mistake a request would come to what is not meant for it.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

Found = TypeVar("Found")
Reader = Callable[[bytes], Found]

JSON = b"application/json"
RESPONSE_JSON = b"application/graphql-response+json"
EVENT_STREAM = b"text/event-stream"
HTML = b"text/html"
CONTENT_TYPES = {JSON: JSON + b"; charset=utf-8", RESPONSE_JSON: RESPONSE_JSON + b"; charset=utf-8"}
MATCHES = {
    b"application/graphql-response+json": (RESPONSE_JSON,),
    b"application/json": (JSON,),
    b"application/*": (JSON, RESPONSE_JSON),
    b"*/*": (JSON, RESPONSE_JSON),
}
MAX_HEADER_LENGTH = 1_000
"""Bytes of a header that are looked at, and remembered: what is longer, no client sends who means it."""
MAX_CACHED_HEADERS = 1_000
"""Different headers that are remembered."""
QUOTED = re.compile(rb'"(?:[^"\\]|\\.?)*(?:"|$)', re.DOTALL)
"""What is not closed goes to the end, so that nothing is looked through twice."""


class AcceptedMedia(NamedTuple):
    """What an Accept header takes.

    That is one answer in a media type, or None of these; or a stream of events or a page, where one of these is named and
    nothing is preferred to it. `names_json`: it names a media type of GraphQL answers, which no link, image or form does.
    """

    media_type: bytes | None
    events: bool = False
    html: bool = False
    names_json: bool = False


NOTHING = AcceptedMedia(None)


class Remembered(dict[bytes, Found]):
    """What was read in headers, by the headers. One that is longer than any should be is not read: it is `otherwise`."""

    def __init__(self, read: Reader[Found], otherwise: Found) -> None:
        self._read = read
        self._otherwise = otherwise

    def __missing__(self, header: bytes) -> Found:
        """Read the header."""
        if len(header) > MAX_HEADER_LENGTH:
            return self._otherwise
        if len(self) >= MAX_CACHED_HEADERS:
            self.clear()
        found = self[header] = self._read(header)
        return found


def memoize_header(otherwise: Found) -> Callable[[Reader[Found]], Reader[Found]]:
    """Have what is read in a header remembered, so that to look it up takes no step in Python."""
    return lambda read: Remembered(read, otherwise).__getitem__


@memoize_header(NOTHING)
def parse_accept(accept: bytes) -> AcceptedMedia:
    """Return what the Accept header takes: JSON where it prefers nothing."""
    if not accept.strip():
        return AcceptedMedia(JSON)
    weights: dict[bytes, tuple[int, float]] = {}
    named: dict[bytes, float] = {}
    for name, weight in _parse_ranges(accept):
        named.setdefault(name, weight)
        matched = MATCHES.get(name, ())
        for media_type in matched:
            # What is named more closely counts, whatever its weight.
            closeness = -len(matched) - (name == b"*/*")
            if media_type not in weights or weights[media_type][0] < closeness:
                weights[media_type] = (closeness, weight)
    best = max(weights, key=lambda media_type: weights[media_type][1], default=None)
    single = 0.0 if best is None else weights[best][1]
    events, page = named.get(EVENT_STREAM, 0.0), named.get(HTML, 0.0)
    names_json = not named.keys().isdisjoint(CONTENT_TYPES)
    return AcceptedMedia(best if single else None, 0 < events >= single, 0 < page >= max(events, single), names_json)


def _parse_ranges(header: bytes) -> Iterator[tuple[bytes, float]]:
    """Yield what the header lists, in lower case, with the weights. What is quoted names nothing."""
    for part in QUOTED.sub(b'""', header.lower()).split(b","):
        name, *parameters = (piece.strip() for piece in part.split(b";"))
        yield name, _parse_q(parameters)


def _parse_q(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            # Not a number is not greater.
            return min(weight, 1.0) if weight > 0 else 0.0
    return 1.0


@memoize_header(otherwise=False)
def is_json(content_type: bytes) -> bool:
    """Return whether a body of this type is JSON that can be read: application/json itself, in UTF-8."""
    name, *parameters = (piece.strip() for piece in content_type.lower().split(b";"))
    charsets = [
        value.strip(b"\"' ") for key, _, value in (piece.partition(b"=") for piece in parameters) if key == b"charset"
    ]
    return name == JSON and all(charset in {b"utf-8", b"utf8"} for charset in charsets)


@memoize_header(otherwise=False)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Return whether the Accept-Encoding header names gzip, and not to refuse it."""
    return any(name in {b"gzip", b"x-gzip"} and weight > 0 for name, weight in _parse_ranges(accept_encoding))
