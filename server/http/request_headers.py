"""Request header parsing: one value per field name (RFC 9110, 5.3).

Several lines of a list-valued field are one list: they are joined with `, ` in the order of arrival. Every other field is a
singleton, such as Authorization, Content-Type, Host, Origin or Sec-Fetch-Site. RFC 9110 forbids clients to repeat a singleton;
the last line wins. Joining would make up a value that the client never sent, and reading the first line would differ from
starlette's `dict(scope["headers"])`.
"""

from collections.abc import Collection

LIST_HEADERS = frozenset(
    {
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-language",
        b"expect",
        b"forwarded",
        b"if-match",
        b"if-none-match",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"tracestate",
        b"upgrade",
        b"via",
        b"x-forwarded-for",
    }
)
"""Fields whose grammar is a comma-separated list.

Defined in RFC 9110, 9111, 6455 and 7239, and in W3C Trace Context.
"""


def parse_headers(raw: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers of an ASGI scope by name; names are in lower case already."""
    headers = dict(raw)
    if len(headers) == len(raw):
        return headers
    values: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(lines) if name in LIST_HEADERS else lines[-1] for name, lines in values.items()}


def matches_etag(if_none_match: bytes, etag: str) -> bool:
    """Return whether an If-None-Match header lists the ETag or is `*` (RFC 9110, 13.1.2).

    Weak ETags count as equal.
    """
    tags = (tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b","))
    return any(tag in {b"*", etag.encode()} for tag in tags)
