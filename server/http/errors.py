"""HTTP errors that reject a whole request, with the JSON body of GraphQL errors."""

import logging
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from db.embedded.disk_space import Shortage
from db.errors import DatabaseError
from graph.authorization import PermissionDenied
from graph.execution.executable_schema import OperationNotAllowed, OperationResult
from resolvers.errors import find_public_code
from telemetry.request_record import record_code

log = logging.getLogger("ratesgraph.server")

REALM = 'Bearer realm="ratesgraph"'
RETRY_AFTER = {b"retry-after": b"2"}
STATUS_OF_REFUSED_OPERATION: dict[str, tuple[int, dict[bytes, bytes]]] = {
    "UNKNOWN_OPERATION": (400, {}),
    "STREAM_REQUIRED": (406, {}),
    "METHOD_NOT_ALLOWED": (405, {b"allow": b"POST"}),
}
NOT_FOUND = "Not found. The GraphQL endpoint is /graphql."
CODE_BY_STATUS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


class HttpError(Exception):
    """Rejection of a request, with a code, a message and an HTTP status.

    `details` stand next to the code in the extensions of the error.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        headers: dict[bytes, bytes] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers, self.details = headers or {}, details or {}
        # Every error that is created is also sent.
        record_code(code)

    def to_graphql_error(self) -> dict[str, Any]:
        """Return the entry for the `errors` list."""
        return {"message": self.message, "extensions": {**self.details, "code": self.code}}

    def body(self) -> bytes:
        """Return the response body."""
        return orjson.dumps({"errors": [self.to_graphql_error()]})

    def encode(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Return the bytes of a response that sends `Connection: close` and these further headers."""
        body = self.body()
        fields = [
            *headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *self.headers.items(),
        ]
        status_line = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()
        return b"\r\n".join([status_line, *map(b": ".join, fields), b"", body])

    def to_response(self) -> Response:
        """Return the response."""
        headers = {"cache-control": "private, no-store"}
        headers |= {name.decode(): value.decode() for name, value in self.headers.items()}
        return Response(self.body(), self.status, headers, media_type="application/json")


def unauthenticated(message: str, *, was_given: bool) -> HttpError:
    """Return a 401 for an invalid or, unless `was_given`, a missing token (RFC 6750)."""
    challenge = f'{REALM}, error="invalid_token"' if was_given else REALM
    return HttpError("UNAUTHENTICATED", message, status=401, headers={b"www-authenticate": challenge.encode()})


def forbidden(error: PermissionDenied) -> HttpError:
    """Return a 403 for a caller that lacks a scope, or a 401 for one without a token (RFC 6750)."""
    if error.code == "UNAUTHENTICATED":
        return unauthenticated(str(error), was_given=False)
    challenge = f'{REALM}, error="insufficient_scope", scope="{" ".join(error.scopes)}"'
    return HttpError(error.code, str(error), status=403, headers={b"www-authenticate": challenge.encode()})


def not_found() -> HttpError:
    """Return a 404 for an unknown path."""
    return HttpError("NOT_FOUND", NOT_FOUND, status=404)


def operation_not_allowed(error: OperationNotAllowed) -> HttpError:
    """Return the error of an operation that is unknown, or not allowed over this transport."""
    status, headers = STATUS_OF_REFUSED_OPERATION[error.code]
    return HttpError(error.code, str(error), status=status, headers=headers)


def unavailable(error: DatabaseError) -> HttpError:
    """Return a 503 for a request that cannot be served at the moment.

    The reason is an outage, or an overload of this process.
    """
    code = find_public_code(error) or "DATABASE_UNAVAILABLE"
    return HttpError(code, str(error), status=503, headers=RETRY_AFTER)


def no_room(shortage: Shortage) -> HttpError:
    """Return a 503 for an upload that the disk has no room for."""
    return HttpError("NO_ROOM", str(shortage), status=503, headers=RETRY_AFTER, details=shortage.details)


STATUS_BY_CODE: dict[str, tuple[int, dict[bytes, bytes]]] = {
    "DATABASE_UNAVAILABLE": (503, RETRY_AFTER),
    "NO_ROOM": (503, RETRY_AFTER),
    # 503 on purpose: a proxy or load balancer should send the next requests to another instance.
    "SERVER_BUSY": (503, RETRY_AFTER),
    "TREE_CHANGE_RUNNING": (503, RETRY_AFTER),
    # Not 503: proxies and load balancers would consider the instance down. The query is too expensive, and a retry, also at
    # another instance, would time out as well.
    "EXECUTION_TIMEOUT": (504, {}),
}


def http_error_for_outcome(outcome: OperationResult) -> HttpError | None:
    """Return an HTTP error if an operation failed for a transient reason and has no data.

    A partial result is a response with status 200: its errors are listed alongside the data.
    """
    if not outcome.errors or any(value is not None for value in (outcome.data or {}).values()):
        return None
    first = outcome.errors[0]
    codes = {error.get("extensions", {}).get("code") for error in outcome.errors} - {"TOO_MANY_ERRORS"}
    code = str(codes.pop()) if len(codes) == 1 else ""
    if code not in STATUS_BY_CODE:
        return None
    status, headers = STATUS_BY_CODE[code]
    return HttpError(code, first["message"], status=status, headers=headers, details=first["extensions"])


def handle_http_exception(request: Request, error: Exception) -> Response:
    """Return the response to an unknown path or method (starlette exception handler)."""
    assert isinstance(error, HTTPException)  # noqa: S101
    message = {
        404: NOT_FOUND,
        405: f"Method {request.method} is not allowed here.",
    }.get(error.status_code, error.detail)
    headers = {name.lower().encode(): value.encode() for name, value in (error.headers or {}).items()}
    code = CODE_BY_STATUS.get(error.status_code, "BAD_REQUEST")
    return HttpError(code, message, status=error.status_code, headers=headers).to_response()


def handle_unexpected_error(_request: Request, error: Exception) -> Response:
    """Return a 500 that contains only the ID under which the error is logged."""
    error_id = uuid.uuid4().hex[:12]
    log.error("error %s while handling a request", error_id, exc_info=error, extra={"error_id": error_id})
    message = f"Internal server error (error ID {error_id}; see the server log)."
    return HttpError("INTERNAL_ERROR", message, status=500).to_response()
