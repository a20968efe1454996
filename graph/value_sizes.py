"""Maximum size in JSON of each scalar value that a response may contain.

The bytes of a response are computed from these sizes before it exists. A string is therefore never longer than its maximum
here. The module that accepts or stores it enforces the same length.
"""

from graphql import GraphQLEnumType, GraphQLNamedOutputType, GraphQLNamedType, GraphQLObjectType, GraphQLSchema

MAX_MESSAGE_LENGTH = 500
"""Maximum characters of the message of a problem. Longer messages are cut."""
SCALAR_BYTES = {
    "Boolean": len("false"),
    "Int": len("-2147483648"),
    "Float": len("-2.2250738585072014e-308"),
    "Date": len('"2024-02-29"'),
    "DateTime": len('"2024-02-29T23:59:59.999999+00:00:00"'),
}


def _ascii(length: int) -> int:
    return length + 2


def _printable(length: int) -> int:
    """Return the bytes of printable text: up to four per character in UTF-8."""
    return 4 * length + 2


def _any_text(length: int) -> int:
    """Return the bytes of any text: JSON escapes a control character as six, such as `\\u0001`."""
    return 6 * length + 2


TEXT_BYTES = {
    "code": _ascii(63),
    "currency": _ascii(3),
    "cursor": _ascii(63),
    "downloadUrl": _ascii(100 * 6 * 63 + 2_000),
    "endCursor": _ascii(63),
    "failure": _ascii(100),
    "field": _ascii(63),
    "id": _ascii(128),
    "idempotencyKey": _printable(200),
    "key": _ascii(63),
    "message": _any_text(MAX_MESSAGE_LENGTH),
    "messageId": _printable(200),
    "name": _printable(300),
    "rejectionsUrl": _ascii(63),
    "slug": _ascii(63),
    "source": _printable(200),
    "startCursor": _ascii(63),
    "uploader": _printable(300),
    "value": _any_text(200),
    "version": _ascii(63),
}
"""Bytes of the fields of type String and ID, by name. The lengths are those that uploads and loaders enforce."""
SCHEMA_TEXT_BYTES = _any_text(1_000)
"""Bytes of a description in the schema, and of any text that is not listed."""


def largest_value(name: str, kind: GraphQLNamedType) -> int:
    """Return the maximum bytes of a scalar or enum value in the field of this name."""
    if isinstance(kind, GraphQLEnumType):
        return _ascii(max(map(len, kind.values)))
    return SCALAR_BYTES.get(kind.name) or TEXT_BYTES.get(name, SCHEMA_TEXT_BYTES)


def largest_typename(schema: GraphQLSchema, kind: GraphQLNamedOutputType) -> int:
    """Return the maximum bytes of `__typename` in a selection on an object or interface type."""
    possible = [kind] if isinstance(kind, GraphQLObjectType) else schema.get_possible_types(kind)  # type: ignore[arg-type]
    return _ascii(max(len(each.name) for each in possible))
