"""Size of a batch in price days and lane-months, with its limits. Standard library only.

The number of items does not bound the cost of a batch: an item may be valid for ten years. A price in a foreign currency is
stored once per published rate. The averages of its lane are stored per month, for every pair of regions above it. Items of one
day are not counted: each is one price in one lane-month, so their number bounds their cost.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

SHORT_ITEM_DAYS = 1
"""Longest validity of an item that is not counted. From two days on, an item may touch more lane-months than one."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits on the items of one batch that are valid for more than one day.

    Attributes:
        max_price_days: Sum of the days of these items.
        max_lane_months: Number of different pairs of lane and month that these items touch.
    """

    max_price_days: int = 5_000_000
    max_lane_months: int = 100_000


DEFAULT_LIMITS = BatchLimits()


class BatchSize:
    """Counter of the price days and lane-months of a batch while its items are read."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._price_days = 0
        self._lane_months: set[Hashable] = set()

    def add(self, price_days: int, lane_months: Iterable[Hashable]) -> None:
        """Count the days and lane-months of items that are valid for more than one day.

        Repeated lane-months count once. None is read once the price days exceed their limit, which bounds memory.
        """
        self._price_days += price_days
        if self._price_days <= self._limits.max_price_days:
            self._lane_months.update(lane_months)

    def describe_excess(self) -> str | None:
        """Return what exceeds its limit, as the message of BATCH_TOO_LARGE, or None."""
        if self._price_days > self._limits.max_price_days:
            return _describe("price days", self._price_days, self._limits.max_price_days)
        if len(self._lane_months) > self._limits.max_lane_months:
            return _describe("lane-months", len(self._lane_months), self._limits.max_lane_months)
        return None


def _describe(unit: str, found: int, limit: int) -> str:
    return (
        f"too many {unit}: {found:,} in items valid for more than one day, limit {limit:,};"
        " split the upload into smaller batches"
    )
