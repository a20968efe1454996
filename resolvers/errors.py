"""What a caller can do wrong with a question. Problems of uploaded items are data instead: see `resolvers.uploads.batches`."""

from db.errors import DatabaseUnavailable, StatementTimeout

PUBLIC_DATABASE_ERRORS = {DatabaseUnavailable: "DATABASE_UNAVAILABLE", StatementTimeout: "STATEMENT_TIMEOUT"}
"""Temporary database errors that clients may see, with their codes. Their messages name no host, query or path."""


class RequestError(Exception):
    """The question cannot be answered as it was asked.

    `extensions` (a code for programs, and details such as the argument and suggestions) goes out beside the message,
    because GraphQL errors take that attribute over from the exception that caused them.
    """

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.extensions: dict[str, object] = {"code": code, **details}
