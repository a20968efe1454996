"""Buckets: integers that bound the error of every price."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from db.sketches.buckets import MAX_ERROR, bucket_bounds, bucket_of
from tests.support.batches.sketches import plain_bucket

cents = st.integers(-(10**15), 10**15) | st.integers(-300, 300)


@given(st.lists(cents, min_size=1, max_size=50))
def test_bucket_follows_the_definition_and_contains_its_price_within_the_error(prices: list[int]) -> None:
    buckets = bucket_of(np.array(prices, dtype=np.int64))
    assert buckets.tolist() == [plain_bucket(price) for price in prices]
    low, high = bucket_bounds(buckets)
    for price, least, greatest in zip(prices, low.tolist(), high.tolist(), strict=True):
        assert least <= price <= greatest
        assert greatest - least <= MAX_ERROR * min(abs(least), abs(greatest))


def test_buckets_cover_all_amounts_in_order_without_gap() -> None:
    buckets = np.arange(-1591, 1592, dtype=np.int16)
    low, high = bucket_bounds(buckets)
    assert (low[1:] == high[:-1] + 1).all()
    assert (bucket_of(low) == buckets).all()
    assert (bucket_of(high) == buckets).all()


def test_largest_price_has_a_bucket_of_two_bytes() -> None:
    assert bucket_of(np.array([10**9, -(10**9)])).tolist() == [1591, -1591]
