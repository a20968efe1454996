"""Errors of requests, with a code for clients.

Problems of uploaded items are data instead: see `resolvers.uploads.batches`.
"""

import json

from db.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnusable,
    DiskFull,
    ServerBusy,
    StatementTimeout,
    TotalsDamaged,
    TreeChangeRunning,
)

PUBLIC_DATABASE_ERRORS: dict[type[DatabaseError], str] = {
    DiskFull: "NO_ROOM",
    DatabaseUnavailable: "DATABASE_UNAVAILABLE",
    DatabaseUnusable: "DATABASE_UNAVAILABLE",
    ServerBusy: "SERVER_BUSY",
    TreeChangeRunning: "TREE_CHANGE_RUNNING",
    StatementTimeout: "STATEMENT_TIMEOUT",
    TotalsDamaged: "TOTALS_DAMAGED",
}
"""Database errors that clients may see and that pass, some by the operator's help, with their codes. Subclasses stand first.

Their messages name no host, query or path.
"""
TEMPORARY_ERRORS: tuple[type[DatabaseError], ...] = tuple(PUBLIC_DATABASE_ERRORS)
"""Errors that a stream outlasts: it polls again later."""


def find_public_code(error: BaseException) -> str | None:
    """Return the code of a temporary database error, or None for any other error."""
    return next((code for kind, code in PUBLIC_DATABASE_ERRORS.items() if isinstance(error, kind)), None)


UNKNOWN_BATCH_MESSAGE = "there is no batch with this id that you may see"
"""Message for a batch of another caller and for one that does not exist. It has no number: the two stay equal byte for byte."""


class RequestError(Exception):
    """Error of the client: the request cannot be answered as it was sent.

    `extensions` holds a code for programs, and details such as the argument and suggestions. It becomes part of the response,
    because a GraphQL error copies this attribute from the exception that caused it.
    """

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.extensions: dict[str, object] = {"code": code, **details}

    def in_list(self, argument: str, position: int) -> "RequestError":
        """Return this error as the error of entry `position` of a list argument.

        `origin` becomes `lanes[3].origin`, in the message too, which must begin with the name of the argument.
        """
        details = {**self.extensions, "argument": argument, "field": f"[{position}].{self.extensions['argument']}"}
        return RequestError(message=f"{argument}[{position}].{self}", **details)  # type: ignore[arg-type]


def quote(text: str, max_length: int) -> str:
    """Return the beginning of a client's text as a GraphQL string, for a message."""
    shown = text if len(text) <= max_length else f"{text[:max_length]}…"
    return json.dumps(shown, ensure_ascii=False).encode(errors="replace").decode()
