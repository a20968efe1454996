"""Content negotiation: response media types, JSON request bodies, gzip.

The media types are those of GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/). They are compared as in
RFC 9110, 12.5.1: as whole names, without regard to case, by weight. A substring test would route requests to the wrong handler.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import NamedTuple, TypeVar

R = TypeVar("R")
HeaderParser = Callable[[bytes], R]

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
"""Bytes. Longer headers are not parsed or cached; no legitimate client sends them."""
MAX_CACHED_HEADERS = 1_000
"""Distinct values that each parser caches, least recently used first out."""
QUOTED = re.compile(rb'"(?:[^"\\]|\\.?)*(?:"|$)', re.DOTALL)
"""A quoted string.

An unclosed one extends to the end of the header, so that a scan never backtracks.
"""


class AcceptedMedia(NamedTuple):
    """Result of negotiation over an Accept header.

    Attributes:
        media_type: The JSON media type of a single response, or None if the client accepts neither.
        events: The header names text/event-stream, whatever its weight. Queries and mutations are nevertheless answered in
            JSON if `media_type` is not None, so that a client that lists all forms it can read gets the simplest one.
        html: The header names text/html and prefers nothing else to it.
        names_format: The header names one of these types except HTML, which links, images and forms cannot do.
    """

    media_type: bytes | None
    events: bool = False
    html: bool = False
    names_format: bool = False


NOT_ACCEPTABLE = AcceptedMedia(None)
NO_CODINGS: frozenset[str] = frozenset()


def memoize_header(default: R) -> Callable[[HeaderParser[R]], HeaderParser[R]]:
    """Cache the results of a header parser (LRU); overlong headers yield `default`."""

    def decorate(parse: HeaderParser[R]) -> HeaderParser[R]:
        parse_cached = lru_cache(maxsize=MAX_CACHED_HEADERS)(parse)

        @wraps(parse)
        def parse_bounded(header: bytes) -> R:
            return parse_cached(header) if len(header) <= MAX_HEADER_LENGTH else default

        return parse_bounded

    return decorate


@memoize_header(NOT_ACCEPTABLE)
def parse_accept(accept: bytes) -> AcceptedMedia:
    """Return what the Accept header accepts; application/json if it states no preference."""
    if not accept.strip():
        return AcceptedMedia(JSON)
    weights: dict[bytes, tuple[int, float]] = {}
    named: dict[bytes, float] = {}
    for name, weight in _parse_ranges(accept):
        named.setdefault(name, weight)
        matched = MATCHES.get(name, ())
        for media_type in matched:
            # The most specific range decides, whatever its weight (RFC 9110, 12.5.1).
            specificity = -len(matched) - (name == b"*/*")
            if media_type not in weights or weights[media_type][0] < specificity:
                weights[media_type] = (specificity, weight)
    best = max(weights, key=lambda media_type: weights[media_type][1], default=None)
    json_weight = 0.0 if best is None else weights[best][1]
    events, html = named.get(EVENT_STREAM, 0.0), named.get(HTML, 0.0)
    return AcceptedMedia(
        best if json_weight else None,
        events > 0,
        0 < html >= max(events, json_weight),
        events > 0 or not named.keys().isdisjoint(CONTENT_TYPES),
    )


def _parse_ranges(header: bytes) -> Iterator[tuple[bytes, float]]:
    """Yield the lower-case names of a list header with their weights, ignoring quoted strings."""
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
            # NaN compares as not greater than 0.
            return min(weight, 1.0) if weight > 0 else 0.0
    return 1.0


@memoize_header(default=False)
def is_json(content_type: bytes) -> bool:
    """Return whether the Content-Type is application/json in UTF-8."""
    name, *parameters = (piece.strip() for piece in content_type.lower().split(b";"))
    charsets = [
        value.strip(b"\"' ") for key, _, value in (piece.partition(b"=") for piece in parameters) if key == b"charset"
    ]
    return name == JSON and all(charset in {b"utf-8", b"utf8"} for charset in charsets)


@memoize_header(default=False)
def is_identity(content_encoding: bytes) -> bool:
    """Return whether the Content-Encoding of a body is absent or `identity`."""
    return content_encoding.strip().lower() in {b"", b"identity"}


@memoize_header(default=False)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Return whether the Accept-Encoding header lists gzip with a weight above 0."""
    return any(name in {b"gzip", b"x-gzip"} and weight > 0 for name, weight in _parse_ranges(accept_encoding))


@memoize_header(NO_CODINGS)
def parse_accept_encoding(accept_encoding: bytes) -> frozenset[str]:
    """Return which of `br` and `gzip` the Accept-Encoding header accepts (RFC 9110, 12.5.3)."""
    weights = dict(_parse_ranges(accept_encoding))
    return frozenset(name for name in ("br", "gzip") if weights.get(name.encode(), weights.get(b"*", 0)) > 0)
