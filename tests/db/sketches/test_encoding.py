"""Format of sketches: what is encoded is decoded, and plain Python reads the same."""

from collections import Counter
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.sketches.encoding import Entries, decode_sketches, encode_sketches
from db.sketches.errors import UnreadableSketch
from tests.support.batches.sketches import plain_cells

MONTH = date(2024, 1, 1)
counts = st.one_of(
    *(st.integers(-bound, bound).filter(bool) for bound in (3, 130, 33_000, 2**31 + 2, 2**40)),
    st.sampled_from([-128, 127, 128, -129, -32_768, 32_767, 2**31 - 1, -(2**31)]),
)
sketches = st.lists(st.dictionaries(st.tuples(st.integers(0, 30), st.integers(-3775, 3775)), counts, max_size=40))


@given(sketches, st.booleans())
def test_sketches_keep_their_entries(rows: list[dict[tuple[int, int], int]], is_change: bool) -> None:
    entries = [
        (row, day, bucket, count) for row, cells in enumerate(rows) for (day, bucket), count in sorted(cells.items())
    ]
    columns = np.array(entries, dtype=np.int64).reshape(-1, 4).T
    encoded = encode_sketches(Entries(*columns), np.full(len(rows), is_change))
    decoded, are_changes = decode_sketches(encoded)
    assert [*zip(decoded.row, decoded.day, decoded.bucket, decoded.count, strict=True)] == entries
    assert are_changes.tolist() == [is_change] * len(entries)
    for cells, sketch in zip(rows, encoded, strict=True):
        expected = Counter[tuple[date, int]]()
        for (day, bucket), count in cells.items():
            for offset in range(day, 31 if is_change else day + 1):
                expected[date(2024, 1, offset + 1), bucket] += count
        found = Counter[tuple[date, int]]()
        for day_found, bucket, count in plain_cells(sketch, MONTH):
            found[day_found, bucket] += count
        assert {cell: count for cell, count in found.items() if count} == {
            cell: count for cell, count in expected.items() if count
        }


@pytest.mark.parametrize(("count", "width"), [(1, 1), (-128, 1), (128, 2), (40_000, 4), (-(2**31), 4), (2**31, 8)])
def test_count_takes_as_few_bytes_as_it_needs(count: int, width: int) -> None:
    one = np.array([0])
    [sketch] = encode_sketches(Entries(one, one + 5, one + 700, one + count), np.array([False]))
    assert len(sketch) == 2 + 3 + 2 + width


def test_no_sketches_have_no_entries() -> None:
    entries, are_changes = decode_sketches([])
    assert len(entries) == len(are_changes) == 0


def test_damaged_sketch_is_named_by_its_position() -> None:
    row = np.zeros(5, dtype=np.int64)
    day, bucket, count = (np.array(column) for column in ([0, 0, 9, 30, 30], [3, 4, 700, -5, 6], [1, 2, 300, -4, 5]))
    [sketch] = encode_sketches(Entries(row, day, bucket, count), np.array([False]))
    damaged = [
        *(sketch[:length] for length in range(len(sketch))),
        sketch + b"\0",
        bytes([4 << 1]) + sketch[1:],
        sketch[:1] + bytes([4]) + sketch[2:],
        sketch[:4] + bytes([31]) + sketch[5:],
        sketch[:5] + b"\xff\xff" + sketch[7:],
    ]
    for each in damaged:
        with pytest.raises(UnreadableSketch) as caught:
            decode_sketches([sketch, sketch, each, sketch])
        assert caught.value.number == 2
