"""Sums of sketches that are computed in parts."""

import tracemalloc

import numpy as np
import pytest

from db.sketches.encoding import Entries, encode_sketches
from db.sketches.errors import UnreadableSketch
from ingest.sketches import merge
from ingest.sketches.merge import merge_sketches

FEBRUARY, MARCH = 649, 650
"""Months of the year 2024, counted from January 1970."""


def sketch_of(*entries: tuple[int, int, int], are_changes: bool) -> bytes:
    """Return the sketch of some entries: day, bucket and count."""
    day, bucket, count = np.array(entries, dtype=np.int64).T
    [sketch] = encode_sketches(Entries(day * 0, day, bucket, count), np.array([are_changes]))
    return sketch


COUNTS, CHANGES = (
    sketch_of((3, 7, 2), (28, 7, 1), are_changes=False),
    sketch_of((0, 7, 4), (9, 7, -4), are_changes=True),
)
SUM_OF_BOTH = sketch_of((0, 7, 4), (3, 7, 2), (4, 7, -2), (9, 7, -4), (28, 7, 1), are_changes=True)
SUM_IN_MARCH = sketch_of((0, 7, 4), (3, 7, 2), (4, 7, -2), (9, 7, -4), (28, 7, 1), (29, 7, -1), are_changes=True)


@pytest.mark.parametrize("limit", [0, 2 * len(COUNTS), merge.MAX_DECODED_BYTES])
def test_sum_does_not_depend_on_the_parts(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(merge, "MAX_DECODED_BYTES", limit)
    sketches = [COUNTS, CHANGES, COUNTS, CHANGES, COUNTS, COUNTS, COUNTS]
    groups, signs = np.array([0, 0, 1, 1, 2, 3, 3]), np.array([1, 1, 1, 1, 1, 1, -1])
    months = np.array([FEBRUARY, MARCH, MARCH, FEBRUARY])
    sums = merge_sketches(sketches, groups, signs, months)
    assert [each if not merge.is_empty(each) else b"" for each in sums] == [SUM_OF_BOTH, SUM_IN_MARCH, COUNTS, b""]


@pytest.mark.parametrize("limit", [0, merge.MAX_DECODED_BYTES])
def test_damaged_sketch_is_named_by_its_position_among_all(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(merge, "MAX_DECODED_BYTES", limit)
    groups = np.array([0, 0, 1, 1])
    with pytest.raises(UnreadableSketch) as caught:
        merge_sketches(
            [COUNTS, CHANGES[:-1], COUNTS, CHANGES], groups, np.ones(4, dtype=np.int64), np.array([FEBRUARY, MARCH])
        )
    assert caught.value.number == 1


def test_memory_does_not_grow_with_the_number_of_sketches() -> None:
    large = sketch_of(*((day, bucket, 1) for day in range(31) for bucket in range(400, 800)), are_changes=False)
    groups = np.repeat(np.arange(50), 8)
    tracemalloc.start()
    try:
        sums = merge_sketches([large] * len(groups), groups, np.ones(len(groups), dtype=np.int64), np.full(50, MARCH))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(sums) == 50
    assert peak < 250_000_000
