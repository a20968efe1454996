"""Price batches: status, outcome, payload, rejections and lanes. Standard library only."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from domain.locations import Lane


class BatchStatus(StrEnum):
    """Where a price batch is in its life."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    REVERTED = "REVERTED"

    @property
    def has_ended(self) -> bool:
        """Whether no worker will touch the batch again."""
        return self not in {BatchStatus.QUEUED, BatchStatus.RUNNING}


class OnError(StrEnum):
    """What one invalid item does to its batch."""

    REJECT_BATCH = "REJECT_BATCH"
    SKIP_INVALID = "SKIP_INVALID"


class FileFormat(StrEnum):
    """What a payload's bytes are."""

    CSV = "csv"
    CSV_GZIP = "csv.gz"
    NDJSON = "ndjson"
    NDJSON_GZIP = "ndjson.gz"
    PARQUET = "parquet"


class Severity(StrEnum):
    """Whether a rejection kept its item out (ERROR) or only remarks on it (WARNING)."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One problem of one item. `item` counts from 1; `field` is named as in the GraphQL input.

    Both are None where the problem is the whole batch. `number` counts the stored problems of a batch from 1.
    """

    item: int | None
    field: str | None
    code: str
    message: str
    value: str | None
    severity: Severity = Severity.ERROR
    number: int = 0


@dataclass(frozen=True, slots=True)
class PriceBatch:
    """A batch of prices: what came, what became of it, when.

    `price_count` is the number of stored rows (an item in a foreign currency may become several);
    `price_day_count` is the number of daily prices that they stand for, on `lane_count` lanes from `first_day` to
    `last_day`. `progress` goes from 0 to 1. `uploader` is empty where nobody had to say who it is.
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
    """How the queue of batches stands."""

    queued: int
    running: int
    oldest_seconds: float
    ended_last_minute: int


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One page of batches, newest first. `total_count` counts every match, not only this page."""

    batches: list[PriceBatch]
    has_next_page: bool
    total_count: int


@dataclass(frozen=True, slots=True)
class RejectionPage:
    """One page of a batch's rejections, by item. `total_count` counts all of the batch."""

    rejections: list[Rejection]
    has_next_page: bool
    total_count: int


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What applying a batch came to. Where nothing was applied, there are no prices, lanes and days."""

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
    """What a batch's payload is: its format, and in how many parts it is kept."""

    format: str
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BatchLane:
    """A lane that a batch touched, port to port, and its position among the batch's lanes, from 1."""

    position: int
    lane: Lane

    @classmethod
    def at(cls, position: int, origin: int, destination: int) -> "BatchLane":
        """Build from a row."""
        return cls(position, Lane(origin, destination))
