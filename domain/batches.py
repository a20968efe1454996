"""Price batches: status, outcome, payload, rejections and lanes. Standard library only."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from domain.locations import Lane


class BatchStatus(StrEnum):
    """Lifecycle state of a price batch."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    REVERTED = "REVERTED"

    @property
    def has_ended(self) -> bool:
        """True once no worker will process the batch again."""
        return self not in {BatchStatus.QUEUED, BatchStatus.RUNNING}


class OnError(StrEnum):
    """Policy for a batch with invalid items."""

    REJECT_BATCH = "REJECT_BATCH"
    SKIP_INVALID = "SKIP_INVALID"


class FileFormat(StrEnum):
    """Encoding of a payload."""

    CSV = "csv"
    CSV_GZIP = "csv.gz"
    NDJSON = "ndjson"
    NDJSON_GZIP = "ndjson.gz"
    PARQUET = "parquet"
    XLSX = "xlsx"


class Severity(StrEnum):
    """Severity of a rejection: an ERROR excludes its item from the batch, a WARNING does not."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Problem of an item. `item` counts from 1, and `field` is its name in the GraphQL input.

    Both are None for a problem of the whole batch. `number` counts the stored problems of a batch from 1. `message_id` is that
    of the message that contained the item, if the batch was merged from messages.
    """

    item: int | None
    field: str | None
    code: str
    message: str
    value: str | None
    severity: Severity = Severity.ERROR
    number: int = 0
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class PriceBatch:
    """Batch of prices: its upload, its outcome and the times of both.

    Attributes:
        price_count: Stored rows. An item in a foreign currency may become several.
        price_day_count: Daily prices of these rows, on `lane_count` lanes from `first_day` to `last_day`.
        progress: Processed part, from 0 to 1.
        uploader: Name of the caller; empty for an anonymous upload.
    """

    id: int
    status: BatchStatus
    on_error: OnError
    source: str
    idempotency_key: str | None
    payload_sha256: bytes
    item_count: int
    accepted_count: int
    rejected_count: int
    price_count: int
    price_day_count: int
    lane_count: int
    first_day: date | None
    last_day: date | None
    attempts: int
    failure: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reverted_at: datetime | None
    uploader: str
    progress: float


@dataclass(frozen=True, slots=True)
class QueueState:
    """Current state of the batch queue.

    Attributes:
        oldest_seconds: Age of the oldest batch that is queued or running.
        payload_bytes: Size of the payloads of these batches.
        work_seconds: Estimated time that one worker needs for these batches, in seconds.
    """

    queued: int
    running: int
    oldest_seconds: float
    ended_last_minute: int
    payload_bytes: int = 0
    work_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """Result of applying a batch. Without an applied item there are no prices, lanes and days."""

    status: BatchStatus
    item_count: int
    accepted_count: int
    rejected_count: int
    price_count: int = 0
    price_day_count: int = 0
    lane_count: int = 0
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """Stored payload of a batch: its format, its number of parts and its size."""

    format: str
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BatchLane:
    """Lane that a batch touched, port to port. `position` counts the lanes of the batch from 1."""

    position: int
    lane: Lane

    @classmethod
    def at(cls, position: int, origin: int, destination: int) -> "BatchLane":
        """Build a value from a database row."""
        return cls(position, Lane(origin, destination))
