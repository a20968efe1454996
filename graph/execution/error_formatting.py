"""Formatting of errors: client errors are passed through, internal errors are masked.

A masked error is logged under the ID that its client receives. The stock MaskErrors extension also hides syntax and
validation errors. Here only an exception raised while a field is resolved can be masked.
"""

import logging
import uuid
from collections.abc import Sequence

from graphql import FieldNode, GraphQLError
from strawberry.exceptions import StrawberryInputCoercionError

from graph.errors.argument_errors import ArgumentError, with_variable
from resolvers.errors import RequestError, find_public_code
from telemetry.request_record import record_code

log = logging.getLogger("ratesgraph.graph")

MAX_MESSAGE_LENGTH = 1_000
"""Maximum characters of an error message. A validation error may quote a whole literal of the document."""


def was_executed(data: object, errors: Sequence[GraphQLError] | None) -> bool:
    """Return whether the operation was executed.

    Only errors of execution and of arguments have a path.
    """
    return data is not None or any(error.path and not isinstance(error, ArgumentError) for error in errors or ())


def format_error(error: GraphQLError) -> GraphQLError:
    """Return the error for the client: with a code, and masked if it is internal."""
    if isinstance(error, ArgumentError):
        return error
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, GraphQLError) and not _is_serialization_error(error):
        # No resolver raised it: a syntax or validation error, or the error of a scalar.
        return _with_code(
            error, "BAD_USER_INPUT" if error.path or error.original_error else "GRAPHQL_VALIDATION_FAILED"
        )
    if isinstance(cause, RequestError):
        return with_variable(error)
    if isinstance(cause, StrawberryInputCoercionError):
        return _with_code(error, "BAD_USER_INPUT")
    if (code := find_public_code(cause)) is not None:
        return GraphQLError(str(cause), error.nodes, path=error.path, extensions={"code": code})
    error_id = uuid.uuid4().hex[:12]
    # The name of the field: the path consists of aliases, which are client input.
    field = error.nodes[0].name.value if error.nodes and isinstance(error.nodes[0], FieldNode) else "an operation"
    log.error("error %s while resolving %s", error_id, field, exc_info=cause, extra={"error_id": error_id})
    return GraphQLError(
        f"Internal server error (error ID {error_id}; see the server log).",
        error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_ERROR", "errorId": error_id},
    )


def format_errors(errors: Sequence[GraphQLError] | None, max_errors: int) -> list[GraphQLError] | None:
    """Return the errors of a result for the client, or None if there are none.

    At most `max_errors` are formatted; one more error reports the number of omitted ones.
    """
    if not errors:
        return None
    formatted = [format_error(error) for error in errors[:max_errors]]
    if omitted := len(errors) - len(formatted):
        message = f"{omitted:,} more errors omitted."
        formatted.append(GraphQLError(message, extensions={"code": "TOO_MANY_ERRORS"}))
    for error in formatted:
        if len(error.message) > MAX_MESSAGE_LENGTH:
            error.message = f"{error.message[: MAX_MESSAGE_LENGTH - 1]}…"
        record_code((error.extensions or {}).get("code"))
    return formatted


def _is_serialization_error(error: GraphQLError) -> bool:
    """Return whether the value of a field could not be serialized.

    Such an error is located at the field and quotes the value. An error of an argument or variable is located there.
    """
    return bool(error.path and error.nodes and isinstance(error.nodes[0], FieldNode))


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    extensions = dict(error.extensions or {})
    extensions.setdefault("code", "GRAPHQL_PARSE_FAILED" if error.message.startswith("Syntax Error") else code)
    error.extensions = extensions
    return error
