"""Fingerprints: a number per origin and month, computed from totals or from observations.

Totals are a linear map of the observations. So no sums of pairs of locations are compared. Instead, both sides are
multiplied by the same random vector (R. Freivalds, Probabilistic machines can use less running time, 1977):

    sum over destinations and days of w(origin) · w(destination) · w(day) · (sum + k · count)

An observation is added once for all pairs that it counts for. The weights of a port and its ancestors are summed, and so are
the weights of its days. Arithmetic is modulo a prime, so one wrong number is always found. Several wrong numbers are missed if
their weighted sum is zero by chance, with a probability below 2^-28. Each run draws new weights.

Sketches are linear too, in the number of prices of a day and bucket. Their fingerprint has the weight of the bucket instead of
the sum and the count, and only regions as origins and destinations.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64, UInt64
from db.sketches.buckets import bucket_of
from domain.locations import Location, LocationKind
from ingest.observations.lane_days import first_day_of, month_of
from ingest.verification import field
from ingest.verification.rows import PriceRows, SketchRows, TotalRows

MAX_OFFSET = 255
"""Largest day of the month that a sketch can represent."""
MAX_VALIDITY_DAYS = 3_660
"""Maximum validity of an item. A longer one is damaged; it is cut, or a verification could take forever."""


class Fingerprints(NamedTuple):
    """Fingerprints by month (counted from January 1970) and location.

    `field` computes their sums and products.
    """

    months: Int64
    origins: Int64
    values: UInt64

    def __neg__(self) -> "Fingerprints":
        """Return the fingerprints that cancel these."""
        return Fingerprints(self.months, self.origins, field.negate(self.values))


NO_FINGERPRINTS = Fingerprints(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64))


def sum_fingerprints(parts: Iterable[Fingerprints]) -> Fingerprints:
    """Return the sums of the fingerprints by key."""
    found = [part for part in parts if len(part.months)]
    if not found:
        return NO_FINGERPRINTS
    months, origins, values = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.lexsort((origins, months))
    months, origins = months[order], origins[order]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(months) != 0) | (np.diff(origins) != 0)]))
    return Fingerprints(months[starts], origins[starts], field.add_groups(values[order], starts))


def select(fingerprints: Fingerprints, chosen: npt.NDArray[np.bool_]) -> Fingerprints:
    """Return the chosen fingerprints."""
    return Fingerprints(fingerprints.months[chosen], fingerprints.origins[chosen], fingerprints.values[chosen])


class PriceFingerprints(NamedTuple):
    """Fingerprints of the totals and sketches of observations, by month and port."""

    totals: Fingerprints
    sketches: Fingerprints


@dataclass(frozen=True, slots=True)
class AncestorTable:
    """Locations by ID, each with itself and its ancestors.

    Attributes:
        above: One row per location: its ID, those of its ancestors, and -1 up to the depth of the tree.
        regions: IDs of the regions.
    """

    ids: Int64
    above: Int64
    regions: Int64

    @classmethod
    def from_locations(cls, locations: Sequence[Location]) -> "AncestorTable":
        """Return the table of the locations."""
        parents = {location.id: location.parent_id for location in locations}
        paths = []
        for place in sorted(parents):
            path, region = [place], parents[place]
            while region is not None:
                path.append(region)
                region = parents[region]
            paths.append(path)
        depth = max(map(len, paths), default=1)
        above = np.array([path + [-1] * (depth - len(path)) for path in paths], dtype=np.int64).reshape(-1, depth)
        regions = [location.id for location in locations if location.kind is LocationKind.REGION]
        return cls(above[:, 0].copy(), above, np.array(regions, dtype=np.int64))

    def paths(self, locations: Int64) -> Int64:
        """Return each location with its ancestors. A location that the tree does not have is alone."""
        if not len(self.ids):
            return locations[:, None]
        position = np.minimum(np.searchsorted(self.ids, locations), len(self.ids) - 1)
        known = self.ids[position] == locations
        found = self.above[position]
        found[~known] = -1
        found[~known, 0] = locations[~known]
        return found


class Fingerprinter:
    """Linear hash of totals, sketches and observations; every instance draws random weights."""

    def __init__(self, locations: Sequence[Location]) -> None:
        self._tree = AncestorTable.from_locations(locations)
        self._origin_seed, self._destination_seed, self._day_seed, self._bucket_seed = (
            secrets.randbits(64) for _ in range(4)
        )
        self._count_weight = np.int64(1 + secrets.randbelow((1 << field.SMALL_BITS) - 1))

    def fingerprint_totals(self, rows: TotalRows) -> UInt64:
        """Return the fingerprint of each row of totals."""
        counts = field.from_signed(rows.counts * self._count_weight)
        values = field.multiply_small(field.reduce(field.from_signed(rows.sums) + counts), self._weigh_days(rows.days))
        result = field.reduce(_add_rows(values, rows.lengths) + self._fingerprint_changes(rows))
        return field.multiply(result, self._weigh_pairs(rows.origins, rows.destinations))

    def _fingerprint_changes(self, rows: TotalRows) -> UInt64:
        changes = rows.changes
        row = np.repeat(np.arange(len(changes.lengths)), changes.lengths)
        weights = self._weigh_offsets(rows.months, row, changes.offsets, changes.apply_to_end)
        counts = field.from_signed(changes.counts * self._count_weight)
        values = field.multiply(field.reduce(field.from_signed(changes.sums) + counts), weights)
        return _add_rows(values, changes.lengths)

    def fingerprint_sketches(self, rows: SketchRows) -> UInt64:
        """Return the fingerprint of each sketch."""
        entries = rows.entries
        weights = self._weigh_offsets(rows.months, entries.row, entries.day, rows.are_changes)
        values = field.multiply(field.from_signed(entries.count), weights)
        values = field.multiply(values, _weigh(entries.bucket, self._bucket_seed))
        result = np.zeros(len(rows.origins), dtype=np.uint64)
        if len(entries):
            starts = np.flatnonzero(np.diff(entries.row, prepend=-1))
            result[entries.row[starts]] = field.add_groups(values, starts)
        return field.multiply(result, self._weigh_pairs(rows.origins, rows.destinations))

    def _weigh_offsets(self, months: Int64, row: Int64, offset: Int64, apply_to_end: npt.NDArray[np.bool_]) -> UInt64:
        """Return the weight of a day of each row's month, or of this day and all later ones."""
        known, position = np.unique(months, return_inverse=True)
        # Damaged rows may name other days.
        days = np.zeros((len(known), MAX_OFFSET + 1), dtype=np.uint64)
        for at, month in enumerate(known.tolist()):
            weights = self._weigh_days(_days_of(month))
            days[at, : len(weights)] = weights
        following = np.cumsum(days[:, ::-1], axis=1)[:, ::-1]
        place = position[row], offset
        chosen: UInt64 = np.where(apply_to_end, following[place], days[place])
        return chosen

    def _weigh_pairs(self, origins: Int64, destinations: Int64) -> UInt64:
        return field.multiply(_weigh(origins, self._origin_seed), _weigh(destinations, self._destination_seed))

    def fingerprint_prices(self, rows: PriceRows) -> PriceFingerprints:
        """Return the fingerprints of observations by month and origin.

        The origin is a port: `roll_up` adds its ancestors.
        """
        last_day = np.minimum(rows.last_days, rows.first_days + MAX_VALIDITY_DAYS)
        valid = field.reduce(field.from_signed(rows.usd_cents) + np.uint64(self._count_weight))
        valid = field.multiply(valid, self._weigh_paths(rows.destinations, regions_only=False))
        counted = _weigh(bucket_of(rows.usd_cents).astype(np.int64), self._bucket_seed)
        counted = field.multiply(counted, self._weigh_paths(rows.destinations, regions_only=True))
        first_month, last_month = (
            month_of(days.astype(np.int32)).astype(np.int64) for days in (rows.first_days, last_day)
        )
        totals, sketches = list[Fingerprints](), list[Fingerprints]()
        for month in _list_months(first_month, last_month):
            chosen = np.flatnonzero((first_month <= month) & (month <= last_month))
            begin, end = first_day_of(month), first_day_of(month + 1)
            until = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self._weigh_days(_days_of(month)))])
            start, stop = (
                np.maximum(rows.first_days[chosen], begin) - begin,
                np.minimum(last_day[chosen] + 1, end) - begin,
            )
            days = until[np.maximum(stop, start)] - until[start]
            for parts, values in ((totals, valid), (sketches, counted)):
                fingerprints = field.multiply(values[chosen], days)
                parts.append(
                    sum_fingerprints([Fingerprints(np.full(len(chosen), month), rows.origins[chosen], fingerprints)])
                )
        return PriceFingerprints(sum_fingerprints(totals), sum_fingerprints(sketches))

    def roll_up(self, fingerprints: Fingerprints, *, regions_only: bool) -> Fingerprints:
        """Return the fingerprints of ports summed to all their ancestors.

        The weights of the origins are multiplied in.
        """
        paths = self._tree.paths(fingerprints.origins)
        parts = []
        for origins in paths.T:
            known = np.isin(origins, self._tree.regions) if regions_only else origins >= 0
            weights = _weigh(origins[known], self._origin_seed)
            parts.append(
                Fingerprints(
                    fingerprints.months[known], origins[known], field.multiply(fingerprints.values[known], weights)
                )
            )
        return sum_fingerprints(parts)

    def _weigh_days(self, days: Int64) -> UInt64:
        """Return the weights of days, which have 32 bits.

        The sum of a month's weights stays below 2^37, so the weight of a run of days is never zero.
        """
        return (_weigh(days, self._day_seed) & field.HALF) | np.uint64(1)

    def _weigh_paths(self, locations: Int64, *, regions_only: bool) -> UInt64:
        """Return the sum of the weights of each location and its ancestors, as destinations."""
        known, position = np.unique(locations, return_inverse=True)
        paths = self._tree.paths(known)
        weights = _weigh(paths, self._destination_seed)
        weights[~np.isin(paths, self._tree.regions) if regions_only else paths < 0] = 0
        of_known = weights[:, 0]
        for column in weights.T[1:]:
            of_known = field.reduce(of_known + column)
        return of_known[position]


def _list_months(first: Int64, last: Int64) -> list[int]:
    """Return every month that lies between a first and its last month, in order."""
    width = MAX_VALIDITY_DAYS
    spans = np.unique(first * width + np.maximum(last - first, -1) + 1)
    begins, lengths = (spans // width).tolist(), (spans % width).tolist()
    return sorted({month for low, count in zip(begins, lengths, strict=True) for month in range(low, low + count)})


def _add_rows(values: UInt64, lengths: Int64) -> UInt64:
    """Return the sum of the values of each row, which has `lengths` of them."""
    result = np.zeros(len(lengths), dtype=np.uint64)
    filled = np.flatnonzero(lengths)
    if len(filled):
        result[filled] = field.add_groups(values, np.cumsum(lengths)[filled] - lengths[filled])
    return result


def _days_of(month: int) -> Int64:
    return np.arange(first_day_of(month), first_day_of(month + 1))


def _weigh(numbers: Int64, seed: int) -> UInt64:
    """Return a pseudo-random weight for each number.

    It is SplitMix64 of the number and the seed (Steele, Lea, Flood 2014).
    """
    value = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.array(seed, dtype=np.uint64)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return field.reduce(value ^ (value >> np.uint64(31)))
