"""Parameters of a GraphQL request over HTTP, from a JSON body or a query string."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from server.http.errors import HttpError


@dataclass(frozen=True, slots=True)
class Parameters:
    """Validated parameters of a GraphQL request."""

    query: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    extensions: dict[str, Any] = field(default_factory=dict)
    document_id: str | None = None


MIN_COUNTED_BYTES = 100_000
"""Shorter bodies hold few values."""
MAX_CONTAINERS = 1_000_000
"""Maximum number of lists and objects in a body, and of brackets and braces in its texts. It is not configurable.

The garbage collector examines lists again and again while they are decoded: ten million in 30 MB block the event loop for 4 s
and occupy a gigabyte. 400,000 items have 32 MB.
"""
TYPES = {"query": str, "operationName": str, "variables": dict, "extensions": dict, "documentId": str}
TYPE_NAMES = {str: "a string", dict: "an object"}


def parse_body(body: bytes) -> Parameters:
    """Return the parameters of a JSON body.

    Raise HttpError (BAD_JSON, BAD_PARAMETER, TOO_MANY_VALUES).
    """
    if not body:
        raise HttpError("BAD_JSON", "The request body is empty.")
    if len(body) >= MIN_COUNTED_BYTES and body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        message = f"The body has more than {MAX_CONTAINERS:,} lists and objects; split the request, or upload a file."
        raise HttpError("TOO_MANY_VALUES", message, status=413)
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HttpError("BAD_JSON", "The request body is not valid JSON.") from error
    if isinstance(members, list):
        message = "Batched requests are not supported; send one operation per request."
        raise HttpError("BAD_PARAMETER", message)
    if not isinstance(members, dict):
        raise HttpError("BAD_PARAMETER", "The request body must be a JSON object.")
    return validate_params(members)


def parse_query_string(query_string: bytes) -> Parameters:
    """Return the parameters of a query string. Raise HttpError (BAD_JSON, BAD_PARAMETER)."""
    try:
        members: dict[str, Any] = dict(parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=20))
    except ValueError as error:
        raise HttpError("BAD_PARAMETER", "The query string is malformed.") from error
    for name in ("variables", "extensions"):
        if members.get(name):
            try:
                members[name] = orjson.loads(members[name])
            except orjson.JSONDecodeError as error:
                raise HttpError("BAD_JSON", f"`{name}` is not valid JSON.") from error
    return validate_params({name: value for name, value in members.items() if value != ""})


def validate_params(members: dict[str, Any]) -> Parameters:
    """Return the parameters. Raise HttpError (BAD_PARAMETER) for one of the wrong type."""
    for name, value in members.items():
        kind = TYPES.get(name)
        if kind is not None and value is not None and not isinstance(value, kind):
            raise HttpError("BAD_PARAMETER", f"`{name}` must be {TYPE_NAMES[kind]}.")
    return Parameters(
        members.get("query"),
        members.get("operationName"),
        members.get("variables") or {},
        members.get("extensions") or {},
        members.get("documentId") or None,
    )
