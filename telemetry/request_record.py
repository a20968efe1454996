"""Per-request record that all layers fill in and the access log reads at the end.

The name of an operation is the only text of the client in it, and it can be nothing but a GraphQL name. Arguments, variables,
documents and tokens are never recorded.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

HIT, MISS, UNCHANGED = "hit", "miss", "304"
QUERY, SUBSCRIPTION = "query", "subscription"


def _no_tracking(_record: "RequestRecord") -> AbstractContextManager[None]:
    return nullcontext()


class RequestRecord:
    """Record of a request, or of one operation on a WebSocket.

    Attributes:
        kind: Kind of the operation.
        rows: Number of entries in the lists of the response.
        cache: HIT, MISS or UNCHANGED for a cacheable response, else empty.
        codes: Distinct codes of the errors.
        unsent_bytes: Length of the body or event that is being sent.
        track: Returns the context manager to enter while a subscription is open.
    """

    # Class attributes as defaults: most requests set few of them, and the others cost nothing.
    caller: str = ""
    kind: str = ""
    operation: str | None = None
    is_registered: bool = False
    rows: int | None = None
    cache: str = ""
    status: int = 0
    codes: tuple[str, ...] = ()
    trace_id: str = ""
    unsent_bytes: int = 0

    def __init__(
        self, request_id: bytes, track: Callable[["RequestRecord"], AbstractContextManager[None]] = _no_tracking
    ) -> None:
        self.request_id = request_id
        self.track = track


current_record: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)
"""Record of the request that the current task processes."""


def start_operation_record() -> None:
    """Start the record of another operation of the same caller on the same connection."""
    if (record := current_record.get()) is not None:
        next_record = RequestRecord(record.request_id, record.track)
        next_record.caller, next_record.trace_id = record.caller, record.trace_id
        current_record.set(next_record)


def record_caller(label: str) -> None:
    """Record the caller."""
    if (record := current_record.get()) is not None:
        record.caller = label


def record_unsent(size: int) -> None:
    """Record the length of a body or event before it is sent."""
    if (record := current_record.get()) is not None:
        record.unsent_bytes = size


def record_registered() -> None:
    """Record that the document is one of the operator's registered documents."""
    if (record := current_record.get()) is not None:
        record.is_registered = True


def record_operation(kind: str, name: str | None) -> None:
    """Record the operation that is about to be executed."""
    if (record := current_record.get()) is not None:
        record.kind, record.operation = kind, name


def record_cache(cache: str) -> None:
    """Record the cache status of a cacheable response. Only responses to queries are cacheable."""
    if (record := current_record.get()) is not None:
        record.kind, record.cache = QUERY, cache


def record_code(code: object) -> None:
    """Record the code of an error in the response."""
    if (record := current_record.get()) is not None and isinstance(code, str) and code not in record.codes:
        record.codes = (*record.codes, code)


def record_rows(data: Mapping[str, object] | None) -> None:
    """Record the number of entries in the lists and connection pages at the root of a response."""
    if (record := current_record.get()) is not None and data is not None:
        rows = 0
        for value in data.values():
            if isinstance(value, dict):
                value = value.get("edges")
            if isinstance(value, list):
                rows += len(value)
        record.rows = rows


def track_subscription() -> AbstractContextManager[None]:
    """Return the context manager to enter while a subscription is open."""
    record = current_record.get()
    return nullcontext() if record is None else record.track(record)
