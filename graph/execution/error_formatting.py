"""Decides what an error may say to a caller: everything it did wrong, nothing about our insides.

The stock MaskErrors extension hides syntax and validation errors too. Here only what was raised while a field was
resolved can be masked, and it is logged under the id that the caller is given.
"""

import logging
import uuid
from collections.abc import Sequence

from graphql import FieldNode, GraphQLError
from strawberry.exceptions import StrawberryInputCoercionError

from resolvers.errors import PUBLIC_DATABASE_ERRORS, RequestError
from telemetry.request_record import record_code

log = logging.getLogger("ratesgraph.graph")


def format_error(error: GraphQLError) -> GraphQLError:
    """Return the error as it may leave: with a code, and masked if it was not meant for callers."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, GraphQLError) and not _is_serialization_error(error):
        # Nothing of ours was raised: a syntax or validation error, or a scalar's own words.
        return _with_code(
            error, "BAD_USER_INPUT" if error.path or error.original_error else "GRAPHQL_VALIDATION_FAILED"
        )
    if isinstance(cause, RequestError):
        return error
    if isinstance(cause, StrawberryInputCoercionError):
        return _with_code(error, "BAD_USER_INPUT")
    for kind, code in PUBLIC_DATABASE_ERRORS.items():
        if isinstance(cause, kind):
            return GraphQLError(str(cause), error.nodes, path=error.path, extensions={"code": code})
    error_id = uuid.uuid4().hex[:12]
    # The field's own name: the path has the aliases, which are the caller's words.
    field = error.nodes[0].name.value if error.nodes and isinstance(error.nodes[0], FieldNode) else "an operation"
    log.error("error %s while resolving %s", error_id, field, exc_info=cause, extra={"error_id": error_id})
    return GraphQLError(
        f"An unexpected error occurred. Its id in the log is {error_id}.",
        error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_ERROR", "errorId": error_id},
    )


def format_errors(errors: Sequence[GraphQLError] | None, max_errors: int) -> list[GraphQLError] | None:
    """Return the errors of a result as they may leave, or None for none. What is more than `max_errors` is only counted."""
    if not errors:
        return None
    presented = [format_error(error) for error in errors[:max_errors]]
    if left_out := len(errors) - len(presented):
        message = f"{left_out:,} more errors are left out."
        presented.append(GraphQLError(message, extensions={"code": "TOO_MANY_ERRORS"}))
    for error in presented:
        record_code((error.extensions or {}).get("code"))
    return presented


def _is_serialization_error(error: GraphQLError) -> bool:
    """Return whether a field's value could not be written out: then the error stands at the field and quotes the value.

    What is wrong with an argument or a variable stands at that instead.
    """
    return bool(error.path and error.nodes and isinstance(error.nodes[0], FieldNode))


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    extensions = dict(error.extensions or {})
    extensions.setdefault("code", "GRAPHQL_PARSE_FAILED" if error.message.startswith("Syntax Error") else code)
    error.extensions = extensions
    return error
