"""Which media type a GraphQL answer has, and which bodies are JSON (https://graphql.github.io/graphql-over-http/draft/)."""

from functools import lru_cache

JSON = b"application/json"
RESPONSE_JSON = b"application/graphql-response+json"
CONTENT_TYPES = {JSON: JSON + b"; charset=utf-8", RESPONSE_JSON: RESPONSE_JSON + b"; charset=utf-8"}
MATCHES = {
    b"application/graphql-response+json": (RESPONSE_JSON,),
    b"application/json": (JSON,),
    b"application/*": (JSON, RESPONSE_JSON),
    b"*/*": (JSON, RESPONSE_JSON),
}


@lru_cache(maxsize=1_000)
def negotiate(accept: bytes) -> bytes | None:
    """Return the media type that the Accept header prefers, JSON where it prefers none, or None where it takes neither."""
    if not accept.strip():
        return JSON
    weights: dict[bytes, tuple[int, float]] = {}
    for part in accept.lower().split(b","):
        name, *parameters = (piece.strip() for piece in part.split(b";"))
        matched = MATCHES.get(name, ())
        for media_type in matched:
            # What is named more closely counts, whatever its weight.
            closeness = -len(matched) - (name == b"*/*")
            if media_type not in weights or weights[media_type][0] < closeness:
                weights[media_type] = (closeness, _weight(parameters))
    best = max(weights, key=lambda media_type: weights[media_type][1], default=None)
    return best if best is not None and weights[best][1] > 0 else None


@lru_cache(maxsize=1_000)
def names_json(accept: bytes) -> bool:
    """Return whether the Accept header names a media type of GraphQL answers, which no link, image or form does."""
    names = {part.partition(b";")[0].strip() for part in accept.lower().split(b",")}
    return bool(names & {JSON, RESPONSE_JSON})


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


@lru_cache(maxsize=1_000)
def is_json(content_type: bytes) -> bool:
    """Return whether a body of this type is JSON that can be read: application/json itself, in UTF-8."""
    name, *parameters = (piece.strip() for piece in content_type.lower().split(b";"))
    charsets = [
        value.strip(b"\"' ") for key, _, value in (piece.partition(b"=") for piece in parameters) if key == b"charset"
    ]
    return name == JSON and all(charset in {b"utf-8", b"utf8"} for charset in charsets)


@lru_cache(maxsize=1_000)
def takes_gzip(accept_encoding: bytes) -> bool:
    """Return whether the Accept-Encoding header names gzip, and not to refuse it."""
    codings = (part.split(b";") for part in accept_encoding.lower().split(b","))
    return any(name.strip() in {b"gzip", b"x-gzip"} and _weight(parameters) > 0 for name, *parameters in codings)
