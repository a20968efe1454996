"""The shared vocabulary: frozen values that every package may pass around. Standard library only.

What is made anew for every question is a named tuple: a frozen dataclass takes up to three times as long to make and to hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

MIN_PRICES_FOR_STATISTICS = 3
"""Below this many observations a day has no average, low, high or median: one or two would reveal who paid what."""


def round_half_away(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to an integer, halves away from zero. `denominator` is positive."""
    # The half of an odd denominator is rounded down: for whole numerators the quotient is the same.
    half = denominator >> 1
    return -((half - numerator) // denominator) if numerator < 0 else (half + numerator) // denominator


class LocationKind(StrEnum):
    """What a location is."""

    PORT = "PORT"
    REGION = "REGION"


@dataclass(frozen=True, slots=True)
class Location:
    """A port (key: UN/LOCODE in upper case) or a region (key: slug in lower case) of the region tree."""

    id: int
    kind: LocationKind
    key: str
    name: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class LocationPage:
    """One page of a location search. `total_count` counts every match, not only this page."""

    locations: list[Location]
    has_next_page: bool
    total_count: int


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A location as somebody wants it: `name` None keeps the name, `parent_key` None makes a root.

    `place` says in words where the wish was read, and `number` which of several it is, from 1.
    """

    kind: LocationKind
    key: str
    name: str | None
    parent_key: str | None
    place: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class TreeChange:
    """What a change of the tree came to, in locations."""

    added: int
    moved: int
    unchanged: int


class Lane(NamedTuple):
    """From one location to another, by id. Either side may be a port or a region."""

    origin: int
    destination: int


@dataclass(frozen=True, slots=True)
class DateRange:
    """Days from `first` to `last`, both inclusive."""

    first: date
    last: date

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def days(self) -> list[date]:
        """Every day of the range, in order."""
        return [self.first + timedelta(days=offset) for offset in range(len(self))]


class DayTotals(NamedTuple):
    """The sum (US cents) and the number of the observations of each day of a range on one lane, as columns."""

    sums: list[int]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """Statistics of one day on one lane, from the observations themselves.

    All prices are US cents; the median is in half cents, so that the mean of two middle prices stays a whole number.
    """

    day: date
    price_sum: int
    price_count: int
    low: int
    high: int
    median_half_cents: int


class DailyAverages(NamedTuple):
    """The answer for each day of a range, as columns, in USD. Every figure but the count is None below three observations.

    `lows`, `highs` and `medians` are empty when nobody asked for them.
    """

    days: DateRange
    averages: Sequence[float | None]
    counts: Sequence[int]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    medians: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """US dollars for one unit of a currency on a day, and the day whose published rate that is; None where none is known."""

    day: date
    usd_per_unit: float | None
    published_day: date | None


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
