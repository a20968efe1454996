"""What is refused before anything is executed, and the JSON that says so: the same body as that of GraphQL's own errors."""

from typing import Any

import orjson
from starlette.responses import Response

from db.errors import DatabaseError
from graph.permissions import NotAdmitted

REALM = 'Bearer realm="ratesgraph"'
RETRY_AFTER = {b"retry-after": b"2"}


class BadRequest(Exception):
    """A request that is refused before anything is executed."""

    def __init__(
        self, code: str, message: str, *, status: int = 400, headers: dict[bytes, bytes] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}

    def formatted(self) -> dict[str, Any]:
        """Return the entry of `errors`."""
        return {"message": self.message, "extensions": {"code": self.code}}

    def body(self) -> bytes:
        """Return the body of the answer."""
        return orjson.dumps({"errors": [self.formatted()]})

    def to_response(self) -> Response:
        """Return the answer."""
        headers = {name.decode(): value.decode() for name, value in self.headers.items()}
        return Response(self.body(), self.status, headers, media_type="application/json")


def unauthenticated(message: str, *, was_given: bool) -> BadRequest:
    """Return the refusal of a caller whose token does not hold, or who gave none where one is needed (RFC 6750)."""
    challenge = f'{REALM}, error="invalid_token"' if was_given else REALM
    return BadRequest("UNAUTHENTICATED", message, status=401, headers={b"www-authenticate": challenge.encode()})


def not_admitted(error: NotAdmitted) -> BadRequest:
    """Return the refusal of a caller who lacks a scope (RFC 6750)."""
    if error.code == "UNAUTHENTICATED":
        return unauthenticated(str(error), was_given=False)
    challenge = f'{REALM}, error="insufficient_scope", scope="{" ".join(error.scopes)}"'
    return BadRequest(error.code, str(error), status=403, headers={b"www-authenticate": challenge.encode()})


def unavailable(error: DatabaseError) -> BadRequest:
    """Return the refusal of what cannot be decided while the database is away."""
    return BadRequest("DATABASE_UNAVAILABLE", str(error), status=503, headers=RETRY_AFTER)
