"""Aggregation of a batch: sums and counts of its prices by location pair and day.

The arithmetic runs in numpy, month by month, on changes. A price of one day is one change on that day. A price of many days is
one change on its first day and one after its last day. So the work grows with the observations, not with their days. Changes
with the same key and slot are summed. They are added to the parents one level of the tree at a time: first for origins, then
for destinations.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64
from domain.locations import Location, TreeMove
from domain.prices import COUNT_MASK, LASTING, MAX_COUNT, MAX_SUM, SLOT_BITS, SUM_SHIFT
from ingest.observations.lane_days import LaneDays, first_day_of, month_of

DAYS = 31
"""Columns of a month; in shorter months the last ones stay 0."""
MAX_LANES = 50_000
"""Lanes aggregated at once, which bounds memory: the regions above them multiply the number of rows."""

MAX_MOVED_LANES = 10_000
"""Lanes of a month whose move is computed at once.

It bounds memory: in a tree of five levels, a lane becomes up to 25 rows of half a kilobyte, before and after the change.
"""
MAX_MOVED_CHANGES = 100_000
"""Changes of lanes whose move is computed at once, for the same reason."""


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """Partial sums of one month (counted from January 1970) as changes, in parallel arrays.

    The changes of a pair lie next to each other. One at slot 0 to 30 applies to that day of the month alone, counted from 0. At
    slot 32 to 62 it applies to the day `slot - LASTING` and all later days of the month. `sums` are US cents.
    """

    month: int
    origin: Int64
    destination: Int64
    slot: Int64
    sums: Int64
    counts: Int64

    def __len__(self) -> int:
        return len(self.slot)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_]) -> "MonthTotals":
        """Return some of the changes."""
        columns = (self.origin, self.destination, self.slot, self.sums, self.counts)
        return MonthTotals(self.month, *(column[rows] for column in columns))

    def negated(self) -> "MonthTotals":
        """Return the totals that cancel these."""
        return replace(self, sums=-self.sums, counts=-self.counts)


def pack_changes(totals: MonthTotals) -> tuple[Int64, npt.NDArray[np.bool_]]:
    """Return each change in one number, and whether it can be packed (`domain.prices`)."""
    packed = totals.sums << SUM_SHIFT | (totals.counts & COUNT_MASK) << SLOT_BITS | totals.slot
    return packed, (np.abs(totals.sums) < MAX_SUM) & (np.abs(totals.counts) < MAX_COUNT)


def unpack_changes(packed: Int64) -> tuple[Int64, Int64, Int64]:
    """Return the slots, sums and counts of packed changes."""
    counts = ((packed >> SLOT_BITS & COUNT_MASK) ^ MAX_COUNT) - MAX_COUNT
    return packed & (1 << SLOT_BITS) - 1, packed >> SUM_SHIFT, counts


@dataclass(frozen=True, slots=True)
class _Changes:
    """Changes by key: origin, destination and slot in one number.

    Locations are positions in the tree.
    """

    key: Int64
    sums: Int64
    counts: Int64


@dataclass(frozen=True, slots=True)
class _Tree:
    """The sorted location IDs, and for each the position of its parent (-1 for a root)."""

    ids: Int64
    parents: Int64

    @property
    def bits(self) -> int:
        """Number of bits of a position."""
        return max(len(self.ids) - 1, 1).bit_length()

    def to_totals(self, month: int, changes: _Changes) -> MonthTotals:
        """Return the changes with location IDs."""
        origin, destination = _split_pairs(changes.key >> SLOT_BITS, self.bits)
        slot = changes.key & (1 << SLOT_BITS) - 1
        return MonthTotals(month, self.ids[origin], self.ids[destination], slot, changes.sums, changes.counts)

    def to_changes(self, totals: MonthTotals) -> _Changes:
        """Return totals, whose locations are all in the tree, as changes."""
        origin, destination = np.searchsorted(self.ids, totals.origin), np.searchsorted(self.ids, totals.destination)
        return _sum_by_key((origin << self.bits | destination) << SLOT_BITS | totals.slot, totals.sums, totals.counts)


def totals_by_month(observations: LaneDays, locations: Iterable[Location]) -> Iterator[MonthTotals]:
    """Yield the partial sums of every location pair, month by month in ascending order.

    The pairs are (origin or ancestor, destination or ancestor). A month with more than MAX_LANES lanes is split into several
    parts, which the caller appends one by one: the totals of a pair are their sum.
    """
    tree = _index_tree(locations)
    for month, lanes in _total_lanes(observations, tree):
        yield tree.to_totals(month, _add_to_all_ancestors(lanes, tree))


def move_lanes(lanes: MonthTotals, before: Iterable[Location], after: Sequence[Location]) -> MonthTotals:
    """Return the difference that a change of the tree makes to the totals of one month.

    `lanes` are the totals, port to port, of all lanes with a moved end, and `after` holds all locations of `before`. The result
    is the lanes' totals summed to all ancestors in the tree `after`, minus the same for the tree `before`. Pairs without a
    difference are left out.
    """
    parents_before = {location.id: location.parent_id for location in before}
    tree = _index_tree(after)
    former = _index_tree(replace(location, parent_id=parents_before.get(location.id)) for location in after)
    changes = tree.to_changes(lanes)
    added, removed = _add_to_all_ancestors(changes, tree), _add_to_all_ancestors(changes, former)
    difference = _sum_changes([added, replace(removed, sums=-removed.sums, counts=-removed.counts)])
    return tree.to_totals(lanes.month, difference)


def select_moved(observations: LaneDays, move: TreeMove) -> LaneDays:
    """Return the observations of the lanes with an end that a change of the tree moves."""
    ports = move.list_moved_ports()
    rows = np.isin(observations.origin, ports) | np.isin(observations.destination, ports)
    return LaneDays(*(getattr(observations, field.name)[rows] for field in fields(LaneDays)))


def move_lane_days(observations: LaneDays, move: TreeMove) -> Iterator[MonthTotals]:
    """Yield the differences that a change of the tree makes to the partial sums of observations.

    The result is the sum of the parts.
    """
    for month in totals_by_month(observations, [replace(location, parent_id=None) for location in move.before]):
        for start in range(0, len(month), MAX_MOVED_CHANGES):
            yield move_lanes(month[start : start + MAX_MOVED_CHANGES], move.before, move.after)


def sum_totals(parts: Sequence[MonthTotals]) -> MonthTotals:
    """Return the sum of partial sums of one month, without changes that are zero."""
    key = np.stack(
        [np.concatenate([getattr(part, name) for part in parts]) for name in ("origin", "destination", "slot")]
    )
    order = np.lexsort(key[::-1])
    key = key[:, order]
    starts = np.flatnonzero((np.diff(key, prepend=key[:, :1] - 1) != 0).any(axis=0))
    if not len(starts):
        return parts[0]
    sums, counts = (
        np.add.reduceat(np.concatenate([getattr(part, name) for part in parts])[order], starts)
        for name in ("sums", "counts")
    )
    total = MonthTotals(parts[0].month, key[0, starts], key[1, starts], key[2, starts], sums, counts)
    return total[(sums != 0) | (counts != 0)]


def _index_tree(locations: Iterable[Location]) -> _Tree:
    tree = sorted(locations, key=lambda location: location.id)
    position = {location.id: index for index, location in enumerate(tree)}
    ids = np.fromiter((location.id for location in tree), dtype=np.int64, count=len(tree))
    parents = (-1 if location.parent_id is None else position[location.parent_id] for location in tree)
    return _Tree(ids, np.fromiter(parents, dtype=np.int64, count=len(tree)))


def days_in_month(month: int) -> int:
    """Return the number of days of a month, counted from January 1970."""
    return first_day_of(month + 1) - first_day_of(month)


def _total_lanes(observations: LaneDays, tree: _Tree) -> Iterator[tuple[int, _Changes]]:
    """Yield months with the changes of their lanes (port to port)."""
    first_month, last_month = month_of(observations.first_day), month_of(observations.last_day)
    origin, destination = (
        np.searchsorted(tree.ids, observations.origin),
        np.searchsorted(tree.ids, observations.destination),
    )
    lane = origin << tree.bits | destination
    for month in range(int(first_month.min()), int(last_month.max()) + 1):
        rows = np.flatnonzero((first_month <= month) & (month <= last_month))
        if len(rows):
            changes = _total_month(month, lane[rows], rows, observations)
            begins = run_starts(changes.key >> SLOT_BITS)
            for number in range(0, len(begins), MAX_LANES):
                stop = begins[number + MAX_LANES] if number + MAX_LANES < len(begins) else len(changes.key)
                part = slice(begins[number], stop)
                yield month, _Changes(changes.key[part], changes.sums[part], changes.counts[part])


def _total_month(month: int, lane: Int64, rows: Int64, observations: LaneDays) -> _Changes:
    """Return the changes of rows that all overlap the month."""
    begin, end = first_day_of(month), first_day_of(month + 1)
    first = np.maximum(observations.first_day[rows] - begin, 0)
    after = np.minimum(observations.last_day[rows] + 1, end) - begin
    key = lane << SLOT_BITS | first
    cents, counts = observations.usd_cents[rows], np.ones(len(rows), dtype=np.int64)
    lasts = after - first > 1
    if not lasts.any():
        return _sum_by_key(key, cents, counts)
    key += np.where(lasts, LASTING, 0)
    ends = np.flatnonzero(lasts & (after < end - begin))
    return _sum_by_key(
        np.concatenate([key, lane[ends] << SLOT_BITS | LASTING + after[ends]]),
        np.concatenate([cents, -cents[ends]]),
        np.concatenate([counts, -counts[ends]]),
    )


def _split_pairs(pairs: Int64, bits: int) -> tuple[Int64, Int64]:
    """Return the positions of the origins and of the destinations."""
    return pairs >> bits, pairs & (1 << bits) - 1


def _add_to_all_ancestors(changes: _Changes, tree: _Tree) -> _Changes:
    """Return the changes and those of every pair of ancestors."""
    return _add_to_ancestors(_add_to_ancestors(changes, tree, tree.bits + SLOT_BITS), tree, SLOT_BITS)


def _add_to_ancestors(changes: _Changes, tree: _Tree, shift: int) -> _Changes:
    """Return the changes and those of every ancestor on one side.

    The position of that side begins at the bit `shift` of the key.
    """
    mask = (1 << tree.bits) - 1
    levels, times_present = [changes], np.zeros(len(tree.ids), dtype=np.int64)
    for _ in range(len(tree.ids)):
        below = levels[-1]
        place = below.key >> shift & mask
        above = tree.parents[place]
        rows = np.flatnonzero(above >= 0)
        if not len(rows):
            break
        above, place = above[rows], place[rows]
        level = _sum_by_key(below.key[rows] + (above - place << shift), below.sums[rows], below.counts[rows])
        levels.append(level)
        present = np.zeros(len(tree.ids), dtype=np.bool_)
        present[above] = True
        times_present += present
    # A region that contains both ports and regions occurs on several levels.
    return _concatenate([changes, _sum_changes(levels[1:])] if times_present.max() > 1 else levels)


def _sum_by_key(key: Int64, sums: Int64, counts: Int64) -> _Changes:
    """Return the sums by key, sorted, without those that are zero."""
    order = sorted_order(key)
    key = key[order]
    starts = run_starts(key)
    sums, counts = np.add.reduceat(sums[order], starts), np.add.reduceat(counts[order], starts)
    remain = (sums != 0) | (counts != 0)
    if remain.all():
        return _Changes(key[starts], sums, counts)
    return _Changes(key[starts[remain]], sums[remain], counts[remain])


def sorted_order(key: Int64) -> Int64:
    """Return the positions in ascending order of the keys, which are not negative."""
    bits = len(key).bit_length()
    if not len(key) or int(key.max()).bit_length() + bits > 63:
        return np.argsort(key)
    # Sorting numbers takes half of the time of sorting positions.
    return np.sort(key << bits | np.arange(len(key))) & (1 << bits) - 1


def run_starts(key: Int64) -> Int64:
    """Return the positions at which the key differs from the one before."""
    differs = np.ones(len(key), dtype=np.bool_)
    np.not_equal(key[1:], key[:-1], out=differs[1:])
    return np.flatnonzero(differs)


def _sum_changes(parts: Sequence[_Changes]) -> _Changes:
    together = _concatenate(parts)
    return _sum_by_key(together.key, together.sums, together.counts)


def _concatenate(parts: Sequence[_Changes]) -> _Changes:
    return _Changes(
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.sums for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
