"""What a caller can do wrong with a question. Problems of uploaded items are data instead: see `resolvers.uploads.batches`."""

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
    """The question cannot be answered as it was asked.

    `extensions` (a code for programs, and details such as the argument and suggestions) goes out beside the message,
    because GraphQL errors take that attribute over from the exception that caused them.
    """

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.extensions: dict[str, object] = {"code": code, **details}
