"""What is refused before anything is executed, and the JSON that says so: the same body as that of GraphQL's own errors."""

import logging
import uuid
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from db.errors import DatabaseError, ServerBusy
from graph.execution.authorization import PermissionDenied
from graph.execution.executable_schema import OperationResult
from telemetry.request_record import record_code

log = logging.getLogger("ratesgraph.server")

REALM = 'Bearer realm="ratesgraph"'
RETRY_AFTER = {b"retry-after": b"2"}
CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


class HttpError(Exception):
    """A request that is refused before anything is executed."""

    def __init__(
        self, code: str, message: str, *, status: int = 400, headers: dict[bytes, bytes] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}
        # Whoever makes a refusal sends it.
        record_code(code)

    def to_graphql_error(self) -> dict[str, Any]:
        """Return the entry of `errors`."""
        return {"message": self.message, "extensions": {"code": self.code}}

    def body(self) -> bytes:
        """Return the body of the answer."""
        return orjson.dumps({"errors": [self.to_graphql_error()]})

    def to_response(self) -> Response:
        """Return the answer."""
        headers = {name.decode(): value.decode() for name, value in self.headers.items()}
        return Response(self.body(), self.status, headers, media_type="application/json")


def unauthenticated(message: str, *, was_given: bool) -> HttpError:
    """Return the refusal of a caller whose token does not hold, or who gave none where one is needed (RFC 6750)."""
    challenge = f'{REALM}, error="invalid_token"' if was_given else REALM
    return HttpError("UNAUTHENTICATED", message, status=401, headers={b"www-authenticate": challenge.encode()})


def forbidden(error: PermissionDenied) -> HttpError:
    """Return the refusal of a caller who lacks a scope (RFC 6750)."""
    if error.code == "UNAUTHENTICATED":
        return unauthenticated(str(error), was_given=False)
    challenge = f'{REALM}, error="insufficient_scope", scope="{" ".join(error.scopes)}"'
    return HttpError(error.code, str(error), status=403, headers={b"www-authenticate": challenge.encode()})


def unavailable(error: DatabaseError) -> HttpError:
    """Return the refusal of what cannot be decided while the database is away, or while this process is overloaded."""
    code = "SERVER_BUSY" if isinstance(error, ServerBusy) else "DATABASE_UNAVAILABLE"
    return HttpError(code, str(error), status=503, headers=RETRY_AFTER)


STATUS_BY_CODE: dict[str, tuple[int, dict[bytes, bytes]]] = {
    "DATABASE_UNAVAILABLE": (503, RETRY_AFTER),
    # Here 503 is right: a proxy or load balancer should send the next requests to another instance.
    "SERVER_BUSY": (503, RETRY_AFTER),
    # Not 503, by which proxies and balancers take an instance for one that is down: it is the question that is too heavy, and
    # asked again at once, or of another instance, it takes as long.
    "EXECUTION_TIMEOUT": (504, {}),
}


def http_error_for_outcome(outcome: OperationResult) -> HttpError | None:
    """Return the refusal of an operation of which nothing could be answered, for a reason that lies in the moment.

    What could be answered in part is an answer: its errors stand beside the data, with status 200.
    """
    if not outcome.errors or any(value is not None for value in (outcome.data or {}).values()):
        return None
    first = outcome.errors[0]
    codes = {error.get("extensions", {}).get("code") for error in outcome.errors} - {"TOO_MANY_ERRORS"}
    code = str(codes.pop()) if len(codes) == 1 else ""
    if code not in STATUS_BY_CODE:
        return None
    status, headers = STATUS_BY_CODE[code]
    return HttpError(code, first["message"], status=status, headers=headers)


def handle_http_exception(request: Request, error: Exception) -> Response:
    """Return the answer to a path that is not there or a method that it does not take, as an exception handler of starlette."""
    assert isinstance(error, HTTPException)  # noqa: S101
    message = {
        404: "There is nothing at this address: GraphQL is at /graphql.",
        405: f"{request.method} is not taken here.",
    }.get(error.status_code, error.detail)
    headers = {name.lower().encode(): value.encode() for name, value in (error.headers or {}).items()}
    code = CODES.get(error.status_code, "BAD_REQUEST")
    return HttpError(code, message, status=error.status_code, headers=headers).to_response()


def handle_unexpected_error(_request: Request, error: Exception) -> Response:
    """Return the answer to a fault of ours, which names no more than where the log has it."""
    error_id = uuid.uuid4().hex[:12]
    log.error("error %s while answering", error_id, exc_info=error, extra={"error_id": error_id})
    message = f"An unexpected error occurred. Its id in the log is {error_id}."
    return HttpError("INTERNAL_ERROR", message, status=500).to_response()
