"""What is refused before anything is executed, and the JSON that says so: the same body as that of GraphQL's own errors."""

from typing import Any

import orjson
from starlette.responses import Response


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
