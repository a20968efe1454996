"""Items of an upload, decoded and encoded in C: ten thousand need milliseconds."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain

import msgspec

from db.repositories.prices import MAX_VALIDITY_DAYS
from domain.batch_size import SHORT_ITEM_DAYS, BatchLimits, BatchSize
from domain.batches import Rejection
from domain.locations import normalize_code
from domain.prices import EARLIEST_DAY, LATEST_DAY

MAX_CODE_LENGTH = 100
"""Characters of a port that are compared with others."""
Span = tuple[int, tuple[str, str], date, date]
"""Number of days, lane, first and last day of an item."""


class PriceItem(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """One item as sent and stored: the fields of `PriceInput` in the schema.

    The order of the fields is part of the digest that recognises a replay.
    """

    date_from: str | None = None
    origin: str | None = None
    destination: str | None = None
    price: int | float | str | None = None
    date_to: str | None = None
    currency: str | None = "USD"


def decode_items(values: object) -> list[PriceItem] | None:
    """Return the items of decoded JSON, or None if the GraphQL coercion would reject them.

    After None the caller runs the GraphQL coercion, which produces the error message.
    """
    try:
        return msgspec.convert(values, list[PriceItem])
    except msgspec.ValidationError:
        return None


def encode_items(items: Sequence[PriceItem]) -> bytes:
    """Return the items as NDJSON. Raise UnicodeEncodeError for an unpaired surrogate."""
    return msgspec.json.Encoder().encode_lines(items)


def validate_size(items: Sequence[PriceItem], limits: BatchLimits) -> Rejection | None:
    """Return the rejection of items with too many price days or lane-months, or None.

    Its code is BATCH_TOO_LARGE. Items whose dates the ingest engine would reject are not counted. Call it in a thread:
    100,000 items take up to a quarter of a second.
    """
    spans = list(_list_long_spans(items))
    size = BatchSize(limits)
    size.add(sum(days for days, *_ in spans), _number_lane_months(spans))
    excess = size.describe_excess()
    return None if excess is None else Rejection(None, "prices", "BATCH_TOO_LARGE", excess, None)


def measure_long_items(items: Sequence[PriceItem]) -> tuple[int, int]:
    """Return the price days and lane-months of the items valid for more than one day."""
    spans = list(_list_long_spans(items))
    return sum(days for days, *_ in spans), len(set(_number_lane_months(spans)))


def _number_lane_months(spans: Iterable[Span]) -> Iterator[int]:
    """Return a number for each lane and month of the spans, with 11 bits for the month.

    Numbers take two thirds of the time of tuples, which the garbage collector examines.
    """
    lanes: dict[tuple[str, str], int] = {}
    return chain.from_iterable(
        range((number << 11) + _month(first), (number << 11) + _month(last) + 1)
        for _, lane, first, last in spans
        for number in (lanes.setdefault(lane, len(lanes)),)
    )


def _list_long_spans(items: Sequence[PriceItem]) -> Iterator[Span]:
    """Yield the number of days, the lane, the first and the last day of each long item."""
    for item in items:
        if item.date_from is None or item.date_to is None or item.date_from == item.date_to:
            continue
        try:
            first, last = date.fromisoformat(item.date_from.strip()), date.fromisoformat(item.date_to.strip())
        except ValueError:
            continue
        days = (last - first).days + 1
        if SHORT_ITEM_DAYS < days <= MAX_VALIDITY_DAYS and first >= EARLIEST_DAY and last <= LATEST_DAY:
            yield days, (_normal_code(item.origin), _normal_code(item.destination)), first, last


def _normal_code(code: str | None) -> str:
    # The ingest engine rejects longer ones. To normalize megabytes of them takes a second.
    return normalize_code((code or "")[:MAX_CODE_LENGTH]).upper()


def _month(day: date) -> int:
    """Return the month of a day, counted from January 1970."""
    return (day.year - EARLIEST_DAY.year) * 12 + day.month - 1
