"""Sketches of observations against plain Python, built in every way, merged and moved."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import pairwise
from operator import itemgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.locations import Location, LocationKind
from ingest.observations.lane_days import LaneDays, first_day_of
from ingest.sketches import build, merge
from ingest.sketches.build import MonthSketches, sketches_by_month
from ingest.sketches.merge import merge_sketches
from ingest.sketches.move import compute_sketch_differences
from tests.support.batches.sketches import plain_bucket, plain_cells

EPOCH = date(1970, 1, 1)
REGIONS, PORTS = range(1, 8), range(20, 26)
Cells = Counter[tuple[int, int, date, int]]
WAYS = {
    "as the figures choose": {},
    "sorted": {"MAX_KEYS_AT_ONCE": 0, "SORT_COST": 0},
    "dense": {"MAX_KEYS_AT_ONCE": 0, "SORT_COST": 10**9},
    "in small parts": {"MAX_KEYS_AT_ONCE": 0, "MAX_DENSE_CELLS": 0, "MAX_KEYS": 40},
}


@contextmanager
def built(way: str) -> Iterator[None]:
    """Let sketches be built in one of the WAYS."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WAYS[way].items():
            patch.setattr(build, name, value)
        yield


@st.composite
def trees(draw: st.DrawFn) -> list[Location]:
    """Draw regions below one another, in any order of IDs, and ports."""
    ids = draw(st.permutations(REGIONS))
    parents: dict[int, int | None] = {ids[0]: None}
    parents |= {after: draw(st.sampled_from([None, before, ids[0]])) for before, after in pairwise(ids)}
    ports = {port: draw(st.sampled_from([None, *REGIONS])) for port in PORTS}
    return [_location(id_, LocationKind.REGION, parent) for id_, parent in parents.items()] + [
        _location(id_, LocationKind.PORT, parent) for id_, parent in ports.items()
    ]


def _location(id_: int, kind: LocationKind, parent: int | None) -> Location:
    return Location(id_, kind, str(id_), str(id_), parent)


@st.composite
def observation_lists(draw: st.DrawFn) -> LaneDays:
    """Draw observations of one day, of a few days or of several months."""
    longest = draw(st.sampled_from([0, 1, 45]))
    prices = st.integers(-3_000, 30_000) | st.sampled_from([0, 127, 128, -128, 10**9])
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(PORTS), st.sampled_from(PORTS), st.integers(0, 80), st.integers(0, longest), prices
            ),
            min_size=1,
            max_size=40,
        )
    )
    begin = (date(2024, 1, 15) - EPOCH).days
    origin, destination, first, length, cents = np.array(rows, dtype=np.int64).T
    first = (first + begin).astype(np.int32)
    return LaneDays(
        origin.astype(np.int32), destination.astype(np.int32), first, (first + length).astype(np.int32), cents
    )


def expect(observations: LaneDays, tree: Sequence[Location]) -> Cells:
    """Return the count of each cell, from every day of every observation."""
    parents = {location.id: location.parent_id for location in tree}

    def regions_above(port: int) -> list[int]:
        above, found = parents[port], list[int]()
        while above is not None:
            found.append(above)
            above = parents[above]
        return found

    cells: Cells = Counter()
    columns = (observations.origin, observations.destination, observations.first_day, observations.last_day)
    for origin, destination, first, last, cents in zip(
        *(column.tolist() for column in columns), observations.usd_cents.tolist(), strict=True
    ):
        for above_origin in regions_above(origin):
            for above_destination in regions_above(destination):
                for day in range(first, last + 1):
                    cells[above_origin, above_destination, EPOCH + timedelta(day), plain_bucket(cents)] += 1
    return cells


def read(parts: Iterable[MonthSketches]) -> Cells:
    """Return the cells of the sketches by plain Python, without zeros."""
    cells: Cells = Counter()
    for part in parts:
        month = EPOCH + timedelta(first_day_of(part.month))
        for origin, destination, sketch in zip(part.origins, part.destinations, part.sketches, strict=True):
            for day, bucket, count in plain_cells(sketch, month):
                cells[origin, destination, day, bucket] += count
    return without_zeros(cells)


def without_zeros(cells: Cells) -> Cells:
    return Counter({cell: count for cell, count in cells.items() if count})


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(observations=observation_lists(), tree=trees())
def test_sketches_count_every_day_of_every_observation(way: str, observations: LaneDays, tree: list[Location]) -> None:
    with built(way):
        assert read(sketches_by_month(observations, tree)) == expect(observations, tree)


@settings(max_examples=60, deadline=None)
@given(
    first=observation_lists(),
    second=observation_lists(),
    tree=trees(),
    way=st.sampled_from(sorted(WAYS)),
    max_bytes=st.sampled_from([1, 60, merge.MAX_DECODED_BYTES]),
)
def test_sketches_of_two_batches_are_merged_and_subtracted(
    first: LaneDays, second: LaneDays, tree: list[Location], way: str, max_bytes: int
) -> None:
    with built(way):
        stored = [*sketches_by_month(first, tree), *sketches_by_month(second, tree)]
    remaining = [*stored, *sketches_by_month(first, tree, sign=-1)]
    assert read(remaining) == expect(second, tree)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "MAX_DECODED_BYTES", max_bytes)
        assert read(_add_keys(stored)) == expect(first, tree) + expect(second, tree)
        assert read(_add_keys(remaining)) == expect(second, tree)


def _add_keys(parts: Sequence[MonthSketches]) -> list[MonthSketches]:
    """Return one sketch per key."""
    rows = [
        ((part.month, origin, destination), sketch)
        for part in parts
        for origin, destination, sketch in zip(part.origins, part.destinations, part.sketches, strict=True)
    ]
    rows.sort(key=itemgetter(0))
    keys = sorted({key for key, _ in rows})
    groups = np.array([keys.index(key) for key, _ in rows], dtype=np.int64)
    months = np.array([month for month, _, _ in keys], dtype=np.int64)
    sums = merge_sketches([sketch for _, sketch in rows], groups, np.ones(len(rows), dtype=np.int64), months)
    return [
        MonthSketches(month, [origin], [destination], [sketch])
        for (month, origin, destination), sketch in zip(keys, sums, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(observations=observation_lists(), before=trees(), after=trees())
def test_difference_of_two_trees_turns_the_sketches_of_one_into_those_of_the_other(
    observations: LaneDays, before: list[Location], after: list[Location]
) -> None:
    moved = read([*sketches_by_month(observations, before), *compute_sketch_differences(observations, before, after)])
    assert moved == expect(observations, after)


def test_tree_of_a_thousand_levels_is_built_without_recursion() -> None:
    depth = 1_000
    chain = [_location(id_, LocationKind.REGION, id_ - 1 or None) for id_ in range(1, depth + 1)]
    port = _location(depth + 1, LocationKind.PORT, depth)
    one = np.array([depth + 1], dtype=np.int32)
    observations = LaneDays(one, one, one * 0, one * 0, np.array([100]))
    assert sum(len(part.sketches) for part in sketches_by_month(observations, [*chain, port])) == depth**2
