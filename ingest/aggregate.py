"""Adds up a batch: the sum and the number of its prices by day, for every pair of locations that it touches.

The engine's arithmetic, in numpy. An observation of many days enters as two changes, at its first day and after its last,
and a running sum over the month spreads them: the work grows with the observations, not with their days. Port pairs are
then added to their parents, one level of the tree at a time, first on the origin's side and then on the destination's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.model import Location

DAYS = 31
"""Width of a month; shorter months leave their last columns 0."""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LaneDays:
    """Observations as columns: location ids, days since 1970-01-01 (both ends inclusive) and US cents.

    Sorted by origin, destination and first day it is quickest; any order is right.
    """

    origin: npt.NDArray[np.int32]
    destination: npt.NDArray[np.int32]
    first_day: npt.NDArray[np.int32]
    last_day: npt.NDArray[np.int32]
    usd_cents: Int64


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """Rows of partial sums. `month` counts from January 1970; `sums` and `counts` are (rows, DAYS)."""

    origin: Int64
    destination: Int64
    month: Int64
    sums: Int64
    counts: Int64

    def __len__(self) -> int:
        return len(self.origin)


def total_by_month(observations: LaneDays, locations: Iterable[Location]) -> MonthTotals:
    """Return the partial sums of the batch for every pair of (origin or ancestor, destination or ancestor) and month."""
    ids, parents = _index_tree(locations)
    totals = _total_lanes(observations, ids)
    totals = _add_to_ancestors(totals, "origin", parents)
    totals = _add_to_ancestors(totals, "destination", parents)
    return MonthTotals(ids[totals.origin], ids[totals.destination], totals.month, totals.sums, totals.counts)


def _index_tree(locations: Iterable[Location]) -> tuple[Int64, Int64]:
    """Return the location ids in order, and for each the position of its parent (-1 for a root)."""
    tree = sorted(locations, key=lambda location: location.id)
    position = {location.id: index for index, location in enumerate(tree)}
    ids = np.fromiter((location.id for location in tree), dtype=np.int64, count=len(tree))
    parents = (-1 if location.parent_id is None else position[location.parent_id] for location in tree)
    return ids, np.fromiter(parents, dtype=np.int64, count=len(tree))


def _month_of(days: npt.NDArray[np.int32]) -> Int64:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _first_day_of(months: Int64) -> Int64:
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _total_lanes(observations: LaneDays, ids: Int64) -> MonthTotals:
    """Return the partial sums of the lanes themselves, port to port; locations are positions in `ids` from here on."""
    first_month, last_month = _month_of(observations.first_day), _month_of(observations.last_day)
    origin, destination = np.searchsorted(ids, observations.origin), np.searchsorted(ids, observations.destination)
    parts = []
    for nth in range(int((last_month - first_month).max()) + 1):
        # The observations that reach into their nth month; all in the first round, few or none after the second.
        rows = np.flatnonzero(first_month + nth <= last_month) if nth else slice(None)
        month = first_month[rows] + nth
        begin = _first_day_of(month)
        start = np.maximum(observations.first_day[rows] - begin, 0)
        after = np.minimum(observations.last_day[rows] + 1, _first_day_of(month + 1)) - begin
        keys, number = _number_keys(origin[rows], destination[rows], month)
        cells = len(keys[0]) * (DAYS + 1)
        start, after = number * (DAYS + 1) + start, number * (DAYS + 1) + after
        cents = observations.usd_cents[rows]
        sums, counts = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
        np.add.at(sums, start, cents)
        np.subtract.at(sums, after, cents)
        counts += np.bincount(start, minlength=cells) - np.bincount(after, minlength=cells)
        sums, counts = (np.cumsum(part.reshape(-1, DAYS + 1), axis=1)[:, :DAYS] for part in (sums, counts))
        parts.append(MonthTotals(*keys, sums, counts))
    return _merge(parts)


def _number_keys(origin: Int64, destination: Int64, month: Int64) -> tuple[tuple[Int64, Int64, Int64], Int64]:
    """Return the distinct (origin, destination, month) in order, and the number of its key for every row."""
    earliest = month.min()
    months, places = int(month.max() - earliest) + 1, int(max(origin.max(), destination.max())) + 1
    packed = (origin * places + destination) * months + (month - earliest)
    steps = np.diff(packed)
    if (steps >= 0).all():
        # Sorted already, as a batch's observations are: no need to sort a million keys again.
        begins = np.concatenate([[True], steps > 0])
        distinct, row = packed[begins], np.cumsum(begins) - 1
    else:
        distinct, row = np.unique(packed, return_inverse=True)
    lane, month_number = np.divmod(distinct, months)
    return (lane // places, lane % places, month_number + earliest), row


def _add_to_ancestors(totals: MonthTotals, side: str, parents: Int64) -> MonthTotals:
    """Return the totals with rows added for every ancestor on one side."""
    levels = [totals]
    for _ in range(len(parents)):
        below = levels[-1]
        above = parents[getattr(below, side)]
        rows = np.flatnonzero(above >= 0)
        if not len(rows):
            break
        origin, destination = (above, below.destination) if side == "origin" else (below.origin, above)
        levels.append(_add_up(origin[rows], destination[rows], below.month[rows], below.sums, below.counts, rows))
    # A region with ports and regions of its own is met on several levels.
    return _stack([totals, _merge(levels[1:])]) if len(levels) > 1 else totals


def _merge(parts: list[MonthTotals]) -> MonthTotals:
    """Return all parts as one, a key that stands in several of them only once."""
    if len(parts) == 1:
        return parts[0]
    met = _stack(parts)
    return _add_up(met.origin, met.destination, met.month, met.sums, met.counts, np.arange(len(met)))


def _add_up(origin: Int64, destination: Int64, month: Int64, sums: Int64, counts: Int64, rows: Int64) -> MonthTotals:
    """Add the given rows of sums and counts up by key; origin, destination and month are those of the rows."""
    keys, number = _number_keys(origin, destination, month)
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(len(keys[0])))
    source = rows[order]
    return MonthTotals(
        *keys, np.add.reduceat(sums[source], starts, axis=0), np.add.reduceat(counts[source], starts, axis=0)
    )


def _stack(parts: list[MonthTotals]) -> MonthTotals:
    return MonthTotals(
        np.concatenate([part.origin for part in parts]),
        np.concatenate([part.destination for part in parts]),
        np.concatenate([part.month for part in parts]),
        np.concatenate([part.sums for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
