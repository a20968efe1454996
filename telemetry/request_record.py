"""What is noted of a request on its way, by whoever happens to know it, and told by the server when it has ended.

Nothing that a caller has sent is noted but the name of an operation, which can be nothing but a name: no argument, no variable,
no text of a document, no token.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

HIT, MISS, UNCHANGED = "hit", "miss", "304"
QUERY, SUBSCRIPTION = "query", "subscription"


def _no_tracking(_notes: "RequestRecord") -> AbstractContextManager[None]:
    return nullcontext()


class RequestRecord:
    """A request, or an operation on a WebSocket.

    `kind` is that of its operation; `rows` are the entries of the lists that it was answered with; `cache` is HIT, MISS or
    UNCHANGED for an answer that can be kept. `codes` are those of its errors, each once. `watch` is entered while a
    subscription is open.
    """

    # Of most requests little is noted. So what is not costs nothing.
    caller: str = ""
    kind: str = ""
    operation: str | None = None
    is_registered: bool = False
    rows: int | None = None
    cache: str = ""
    status: int = 0
    codes: tuple[str, ...] = ()
    trace_id: str = ""

    def __init__(
        self, request_id: bytes, watch: Callable[["RequestRecord"], AbstractContextManager[None]] = _no_tracking
    ) -> None:
        self.request_id = request_id
        self.track = watch


current_record: ContextVar[RequestRecord | None] = ContextVar("notes", default=None)
"""Those of the request that is being answered here."""


def start_operation_record() -> None:
    """Begin the notes of another operation of the same caller on the same connection."""
    if (notes := current_record.get()) is not None:
        another = RequestRecord(notes.request_id, notes.track)
        another.caller, another.trace_id = notes.caller, notes.trace_id
        current_record.set(another)


def record_caller(label: str) -> None:
    """Note who asks."""
    if (notes := current_record.get()) is not None:
        notes.caller = label


def record_registered() -> None:
    """Note that the document is one of those that the operator has registered."""
    if (notes := current_record.get()) is not None:
        notes.is_registered = True


def record_operation(kind: str, name: str | None) -> None:
    """Note what is to be executed."""
    if (notes := current_record.get()) is not None:
        notes.kind, notes.operation = kind, name


def record_cache(cache: str) -> None:
    """Note that the answer is one that can be kept, as only those to queries are, and whether it was."""
    if (notes := current_record.get()) is not None:
        notes.kind, notes.cache = QUERY, cache


def record_code(code: object) -> None:
    """Note the code of an error that the caller is told."""
    if (notes := current_record.get()) is not None and isinstance(code, str) and code not in notes.codes:
        notes.codes = (*notes.codes, code)


def record_rows(data: Mapping[str, object] | None) -> None:
    """Note how many entries the lists hold that an answer consists of, or the pages of its connections."""
    if (notes := current_record.get()) is not None and data is not None:
        rows = 0
        for value in data.values():
            if isinstance(value, dict):
                value = value.get("edges")
            if isinstance(value, list):
                rows += len(value)
        notes.rows = rows


def track_subscription() -> AbstractContextManager[None]:
    """Return what is entered while a subscription is open."""
    notes = current_record.get()
    return nullcontext() if notes is None else notes.track(notes)
