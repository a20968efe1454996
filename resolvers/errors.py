"""Errors of requests, with a code for clients.

Problems of uploaded items are data instead: see `resolvers.uploads.batches`.
"""

from db.errors import DatabaseError, DatabaseUnavailable, ServerBusy, StatementTimeout

PUBLIC_DATABASE_ERRORS: dict[type[DatabaseError], str] = {
    DatabaseUnavailable: "DATABASE_UNAVAILABLE",
    ServerBusy: "SERVER_BUSY",
    StatementTimeout: "STATEMENT_TIMEOUT",
}
"""Temporary database errors that clients may see, with their codes. Their messages name no host, query or path."""
TEMPORARY_ERRORS: tuple[type[DatabaseError], ...] = tuple(PUBLIC_DATABASE_ERRORS)
"""Errors that a stream outlasts: it polls again later."""


class RequestError(Exception):
    """Error of the client: the request cannot be answered as it was sent.

    `extensions` holds a code for programs, and details such as the argument and suggestions. It becomes part of the response,
    because a GraphQL error copies this attribute from the exception that caused it.
    """

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.extensions: dict[str, object] = {"code": code, **details}

    def within(self, argument: str) -> "RequestError":
        """Return the error of a field of an input object, whose message begins with it, as located in an argument."""
        details = {**self.extensions, "argument": f"{argument}.{self.extensions['argument']}"}
        return RequestError(message=f"{argument}.{self}", **details)  # type: ignore[arg-type]
