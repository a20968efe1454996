"""Aggregation of a batch: sums and counts of its prices by location pair and day.

The arithmetic runs in numpy, month by month. An observation of many days enters a difference array as two changes, at its
first day and after its last, and a running sum over the month spreads them. So the work grows with the observations, not with
their days. Port pairs are then added to their parents, one level of the tree at a time, first on the origin's side and then
on the destination's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from domain.locations import Location
from ingest.observations.lane_days import LaneDays, first_day_of, month_of

DAYS = 31
"""Columns of a month; in shorter months the last ones stay 0."""
MAX_LANES = 50_000
"""Lanes aggregated at once.

It bounds memory: with the regions above them they may become many times as many rows.
"""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """Partial sums of one month (counted from January 1970).

    `sums` (US cents) and `counts` have the shape (rows, DAYS).
    """

    month: int
    origin: Int64
    destination: Int64
    sums: Int64
    counts: Int64

    def __len__(self) -> int:
        return len(self.origin)


def totals_by_month(observations: LaneDays, locations: Iterable[Location]) -> Iterator[MonthTotals]:
    """Yield the partial sums of every location pair, month by month in ascending order.

    The pairs are (origin or ancestor, destination or ancestor). A month with more than MAX_LANES lanes is split into several
    parts, which add up.
    """
    ids, parents = _index_tree(locations)
    for lanes in _total_lanes(observations, ids):
        totals = _add_to_all_ancestors(lanes, parents)
        yield MonthTotals(totals.month, ids[totals.origin], ids[totals.destination], totals.sums, totals.counts)


def move_lanes(lanes: MonthTotals, before: Iterable[Location], after: Sequence[Location]) -> MonthTotals:
    """Return the difference that a change of the tree makes to the totals of one month.

    `lanes` are the totals, port to port, of all lanes with a moved end, and `after` holds all locations of `before`. The result
    is the lanes' totals added up to all ancestors in the tree `after`, minus the same for the tree `before`. Pairs without a
    difference are left out.
    """
    parents_before = {location.id: location.parent_id for location in before}
    ids, parents = _index_tree(after)
    _, former_parents = _index_tree(replace(location, parent_id=parents_before.get(location.id)) for location in after)
    origin, destination = np.searchsorted(ids, lanes.origin), np.searchsorted(ids, lanes.destination)
    indexed = replace(lanes, origin=origin, destination=destination)
    removed = _add_to_all_ancestors(indexed, former_parents)
    both = _stack(
        [_add_to_all_ancestors(indexed, parents), replace(removed, sums=-removed.sums, counts=-removed.counts)]
    )
    total = _add_up(both, both.origin, both.destination, np.arange(len(both)))
    rows = np.flatnonzero((total.sums != 0).any(axis=1) | (total.counts != 0).any(axis=1))
    return MonthTotals(
        total.month, ids[total.origin[rows]], ids[total.destination[rows]], total.sums[rows], total.counts[rows]
    )


def _index_tree(locations: Iterable[Location]) -> tuple[Int64, Int64]:
    """Return the sorted location ids, and for each the position of its parent (-1 for a root)."""
    tree = sorted(locations, key=lambda location: location.id)
    position = {location.id: index for index, location in enumerate(tree)}
    ids = np.fromiter((location.id for location in tree), dtype=np.int64, count=len(tree))
    parents = (-1 if location.parent_id is None else position[location.parent_id] for location in tree)
    return ids, np.fromiter(parents, dtype=np.int64, count=len(tree))


def _total_lanes(observations: LaneDays, ids: Int64) -> Iterator[MonthTotals]:
    """Yield the partial sums of the lanes (port to port).

    In the result, a location is its index in `ids`.
    """
    first_month, last_month = month_of(observations.first_day), month_of(observations.last_day)
    lane = np.searchsorted(ids, observations.origin) * len(ids) + np.searchsorted(ids, observations.destination)
    for month in range(int(first_month.min()), int(last_month.max()) + 1):
        rows = np.flatnonzero((first_month <= month) & (month <= last_month))
        if not len(rows):
            continue
        rows = rows[np.argsort(lane[rows], kind="stable")]
        begins = np.flatnonzero(np.diff(lane[rows], prepend=-1))
        for number in range(0, len(begins), MAX_LANES):
            stop = begins[number + MAX_LANES] if number + MAX_LANES < len(begins) else len(rows)
            part = rows[begins[number] : stop]
            yield _total_month(month, lane[part], part, observations, len(ids))


def _total_month(month: int, lane: Int64, rows: Int64, observations: LaneDays, places: int) -> MonthTotals:
    """Return the partial sums of rows that are sorted by lane and all overlap the month."""
    begin = first_day_of(month)
    new_lane = np.diff(lane, prepend=-1) > 0
    cell = (np.cumsum(new_lane) - 1) * (DAYS + 1)
    start = cell + np.maximum(observations.first_day[rows] - begin, 0)
    after = cell + np.minimum(observations.last_day[rows] + 1, first_day_of(month + 1)) - begin
    cents = observations.usd_cents[rows]
    lanes = lane[new_lane]
    cells = len(lanes) * (DAYS + 1)
    sums = np.zeros(cells, dtype=np.int64)
    np.add.at(sums, start, cents)
    np.subtract.at(sums, after, cents)
    counts = np.bincount(start, minlength=cells) - np.bincount(after, minlength=cells)
    sums, counts = (np.cumsum(part.reshape(-1, DAYS + 1), axis=1)[:, :DAYS] for part in (sums, counts))
    return MonthTotals(month, lanes // places, lanes % places, sums, counts)


def _add_to_all_ancestors(totals: MonthTotals, parents: Int64) -> MonthTotals:
    """Return the totals with rows added for every pair of ancestors."""
    return _add_to_ancestors(_add_to_ancestors(totals, "origin", parents), "destination", parents)


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
        levels.append(_add_up(below, origin[rows], destination[rows], rows))
    if len(levels) == 1:
        return totals
    # A region that contains both ports and regions occurs on several levels.
    regions = _stack(levels[1:])
    return _stack([totals, _add_up(regions, regions.origin, regions.destination, np.arange(len(regions)))])


def _add_up(totals: MonthTotals, origin: Int64, destination: Int64, rows: Int64) -> MonthTotals:
    """Return the sums of some rows, grouped by the pairs of `origin` and `destination`."""
    places = int(max(origin.max(), destination.max())) + 1
    pair = origin * places + destination
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    pairs, source = pair[order[starts]], rows[order]
    sums = np.add.reduceat(totals.sums[source], starts, axis=0)
    counts = np.add.reduceat(totals.counts[source], starts, axis=0)
    return MonthTotals(totals.month, pairs // places, pairs % places, sums, counts)


def _stack(parts: list[MonthTotals]) -> MonthTotals:
    return MonthTotals(
        parts[0].month,
        np.concatenate([part.origin for part in parts]),
        np.concatenate([part.destination for part in parts]),
        np.concatenate([part.sums for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
