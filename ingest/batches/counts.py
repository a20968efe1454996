"""Running counts of a batch while its slices are processed."""

from datetime import timedelta

import numpy as np

from db.sketches.arrays import Int64
from domain.batches import BatchOutcome, BatchStatus
from ingest.batches.currency_conversion import UNIX_EPOCH
from ingest.batches.pipeline import ProcessedSlice


class BatchCounts:
    """Counts of items, rejections, prices and lanes; `add` every processed slice."""

    def __init__(self) -> None:
        self.items = 0
        self.rejected = 0
        self.rejections = 0
        self._prices = 0
        self._price_days = 0
        self._first_day, self._last_day = np.iinfo(np.int32).max, np.iinfo(np.int32).min
        self._lanes: Int64 = np.empty(0, dtype=np.int64)

    def add(self, processed: ProcessedSlice) -> None:
        """Count a processed slice."""
        self.items += processed.items
        self.rejected += processed.rejected
        self.rejections += len(processed.rejections)
        observations = processed.observations
        if len(observations):
            first, last = observations["first_day"].to_numpy(), observations["last_day"].to_numpy()
            self._prices += len(observations)
            self._price_days += int((last - first).sum(dtype=np.int64)) + len(observations)
            self._first_day, self._last_day = (
                min(self._first_day, int(first.min())),
                max(self._last_day, int(last.max())),
            )
            lanes = observations["origin"].to_numpy().astype(np.int64) << 32 | observations["destination"].to_numpy()
            self._lanes = np.union1d(self._lanes, lanes)

    def lanes(self) -> tuple[list[int], list[int]]:
        """Return the origins and the destinations of all lanes so far, sorted."""
        return (self._lanes >> 32).tolist(), (self._lanes & 0xFFFFFFFF).tolist()

    def rejected_outcome(self) -> BatchOutcome:
        """Return the outcome of a batch of which no price is stored."""
        return BatchOutcome(BatchStatus.REJECTED, self.items, 0, self.rejected)

    def applied_outcome(self) -> BatchOutcome:
        """Return the outcome of a batch whose valid items are stored."""
        return BatchOutcome(
            BatchStatus.APPLIED,
            self.items,
            self.items - self.rejected,
            self.rejected,
            self._prices,
            self._price_days,
            len(self._lanes),
            UNIX_EPOCH + timedelta(days=self._first_day),
            UNIX_EPOCH + timedelta(days=self._last_day),
        )
