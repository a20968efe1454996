"""Values in error messages, printed as GraphQL text.

graphql-core prints variables as Python does: `None`, `True`, `{'a': 1}`. Clients of any language read these messages.
"""

from resolvers.errors import quote

MAX_TEXT_LENGTH = 60


def print_value(value: object) -> str:
    """Return a decoded JSON value as short GraphQL text.

    Lists and objects are not printed: they may be long, and the path in the message leads to the part that is wrong.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)[:MAX_TEXT_LENGTH]
        case str():
            return quote(value, MAX_TEXT_LENGTH)
        case list():
            return "[…]" if value else "[]"
        case dict():
            return "{…}" if value else "{}"
    return "a file"
