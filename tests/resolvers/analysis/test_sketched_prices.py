"""Order statistics from sketches against an oracle: each stays within its error.

Prices, ranges and rates are random. So are the rows of the sketches: several batches, some of them reverted.
"""

import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.sketches.arrays import Int64
from db.sketches.buckets import MAX_ERROR
from domain.intervals import Interval, divide
from domain.locations import Location, LocationKind
from domain.price_series import NullReason
from domain.prices import DateRange
from ingest.observations.lane_days import LaneDays
from ingest.sketches.build import sketches_by_month
from resolvers.analysis import sketched_prices
from resolvers.analysis.sketched_prices import SketchedPrices
from resolvers.analysis.statistics_loading import SKETCH_ERROR
from tests.support.analysis.cases import (
    FIRST,
    PERCENTILES,
    Case,
    Observation,
    cases,
    days_from_first,
    known,
    order_statistics,
    percentile,
    round_half_away,
)

REGION, ORIGIN, DESTINATION = 1, 2, 3
TREE = [
    Location(REGION, LocationKind.REGION, "all", "All", None),
    Location(ORIGIN, LocationKind.PORT, "AAAAA", "A", REGION),
    Location(DESTINATION, LocationKind.PORT, "BBBBB", "B", REGION),
]
EPOCH = date(1970, 1, 1)
amounts = st.sampled_from([0, 1, 127, 128, 129, -1, -128, -129]) | st.integers(-(10**9), 10**9) | st.integers(90, 700)


def sketch(observations: Sequence[Observation], *, sign: int = 1) -> Iterator[tuple[date, bytes]]:
    """Yield the sketches of a batch, as ingest appends them, by month."""
    size, base = len(observations), (FIRST - EPOCH).days
    columns = LaneDays(
        np.full(size, ORIGIN, dtype=np.int32),
        np.full(size, DESTINATION, dtype=np.int32),
        np.array([base + each.first for each in observations], dtype=np.int32),
        np.array([base + each.last for each in observations], dtype=np.int32),
        np.array([each.cents for each in observations], dtype=np.int64),
    )
    for part in sketches_by_month(columns, TREE, sign=sign):
        assert part.destinations == [REGION]
        yield date(1970 + part.month // 12, part.month % 12 + 1, 1), part.sketches[0]


@st.composite
def sketched(draw: st.DrawFn) -> tuple[Case, SketchedPrices]:
    """Draw a case and its prices by price bucket."""
    case = draw(cases(amounts))
    reverted = draw(st.lists(st.builds(Observation, amounts, st.integers(-3, 9), st.integers(9, 40)), max_size=4))
    split = draw(st.integers(0, len(case.observations)))
    batches = [(case.observations[:split], 1), (case.observations[split:], 1), (reverted, 1), (reverted, -1)]
    days = case.axis.days
    rows = [
        row
        for observations, sign in batches
        for row in sketch(observations, sign=sign)
        if days.first.replace(day=1) <= row[0] <= days.last
    ]
    return case, SketchedPrices(rows, case.axis, case.rates)


@given(drawn=sketched(), minimum=st.integers(1, 5), at=PERCENTILES)
def test_percentiles_stay_within_the_width_of_a_price_bucket(
    drawn: tuple[Case, SketchedPrices], minimum: int, at: float
) -> None:
    case, prices = drawn
    expected = [known(each, minimum) for each in case.by_bucket()]
    assert prices.counts == [len(each) for each in case.by_bucket()]
    [found] = prices.percentiles([at], [not isinstance(each, NullReason) for each in expected])
    for value, each in zip(found, expected, strict=True):
        if isinstance(each, NullReason):
            assert value is None
            continue
        assert value is not None
        below, above, part = order_statistics(each, at)
        allowed = Fraction(MAX_ERROR) * (abs(below) * (1 - part) + abs(above) * part)
        # The figure is rounded to cents.
        assert abs(Fraction(repr(value)) * 100 - percentile(each, at)) <= allowed + Fraction(1, 2)
    assert MAX_ERROR <= SKETCH_ERROR


@given(case=cases(amounts), amount=amounts | st.sampled_from([-(10**16), 10**16]))
def test_rank_stays_within_its_error(case: Case, amount: int) -> None:
    whole = Case(case.observations, divide(case.axis.days, None), case.rates)
    [expected] = [known(each, 1) for each in whole.by_bucket()]
    if isinstance(expected, NullReason):
        return
    # Half of the amounts are one of the prices, where it has at most four decimals.
    wanted = Fraction(amount, 100) if amount % 2 else expected[amount % len(expected)] / 100
    units = round(wanted * 10**4)
    cents = Fraction(units, 100)
    below, equal = sum(price < cents for price in expected), sum(price == cents for price in expected)
    rank = round_half_away(Fraction(1_000 * (2 * below + equal), 2 * len(expected)), 0)
    days = case.axis.days
    rows = [row for row in sketch(case.observations) if days.first.replace(day=1) <= row[0] <= days.last]
    found = SketchedPrices(rows, whole.axis, whole.rates).rank(units, 10**4)
    assert found is not None
    assert abs(found.tenths - rank) <= found.error_tenths
    if all(abs(each.cents) < 128 for each in case.observations):
        assert found.error_tenths == 0


def test_prices_below_128_cents_are_exact_in_every_currency() -> None:
    observations = [Observation(cents, 0, 20) for cents in (-127, -1, 0, 1, 50, 127)]
    axis = divide(days_from_first(21), None)
    rates: list[int | None] = [1_093_100_000_000 + day for day in range(21)]
    for case in (Case(observations, axis, None), Case(observations, axis, rates)):
        prices = SketchedPrices([*sketch(observations)], axis, case.rates)
        asked = (0, 2.5, 50, 99.9, 100)
        assert prices.percentiles(asked, [True]) == case.sorted_prices().percentiles(asked, [True])
        assert prices.rank(5_000, 10**4) == case.sorted_prices().rank(5_000, 10**4)


def test_prices_of_one_observation_lie_at_one_place_in_their_bucket() -> None:
    month = divide(days_from_first(28), None)
    # The bucket holds 10,496 to 10,623 cents.
    for observations, lowest, highest in (
        ([Observation(10_500, 3, 9)], 105.59, 105.59),
        ([Observation(10_500, 3, 9), Observation(10_600, 5, 20)], 105.27, 105.91),
        ([Observation(10_500, 3, 9), Observation(10_600, 12, 20)], 105.27, 105.91),
        ([Observation(10_500, 3, 9), Observation(10_600, 10, 20)], 105.59, 105.59),
        ([Observation(10_500, day, day) for day in (0, 2, 4, 6)], 105.11, 106.07),
    ):
        prices = SketchedPrices([*sketch(observations)], month, None)
        assert prices.percentiles([0, 100], [True]) == [[lowest], [highest]]


@pytest.mark.parametrize("cents", [10_500, 10**9 - 5 * 10**6, -10_500])
def test_percentiles_of_billions_of_prices_stay_in_order_within_their_bucket(
    monkeypatch: pytest.MonkeyPatch, cents: int
) -> None:
    count_by_day = sketched_prices._count_by_day
    rows, axis = [*sketch([Observation(cents, day, day) for day in range(0, 28, 2)])], divide(days_from_first(28), None)
    asked = (0, 25, 50, 75, 100)
    for factor in (10**6, 10**8, 4 * 10**8, 2 * 10**9):

        def multiply(
            sketches: Sequence[tuple[date, bytes]], days: DateRange, factor: int = factor
        ) -> tuple[sketched_prices.Counts, Int64]:
            counts, price_buckets = count_by_day(sketches, days)
            return counts * factor, price_buckets

        monkeypatch.setattr(sketched_prices, "_count_by_day", multiply)
        prices = SketchedPrices(rows, axis, None)
        assert prices.counts == [14 * factor]
        found = [value for [value] in prices.percentiles(asked, [True]) if value is not None]
        assert found == sorted(found)
        assert len(found) == len(asked)
        assert all(abs(value * 100 - cents) <= MAX_ERROR * abs(cents) for value in found)


def test_percentiles_across_exchange_rates_stay_in_order() -> None:
    # 130 and 131 cents share a bucket, which stands for 130. The other price is worth 130.25 cents at the first rate.
    observations = [Observation(130, 0, 0), Observation(127, 1, 1)]
    rates: list[int | None] = [70_000_000, round(70_000_000 * 127 / 130.25)]
    axis = divide(days_from_first(2), None)
    prices = SketchedPrices([*sketch(observations)], axis, rates)
    [low], [high] = prices.percentiles([0, 100], [True])
    assert low is not None
    assert high is not None
    assert low <= high


def test_sketches_of_another_month_have_no_prices() -> None:
    axis = divide(days_from_first(5), None)
    prices = SketchedPrices([*sketch([Observation(500, 8, 9)])], axis, None)
    assert prices.counts == [0]
    assert prices.percentiles([50], [True]) == [[None]]
    assert prices.rank(100, 10**4) is None


def test_sketches_that_are_decoded_in_parts_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    observations = [Observation(37 * number - 900, number % 50, number % 50 + number % 70) for number in range(300)]
    axis = divide(DateRange(FIRST + timedelta(5), FIRST + timedelta(100)), Interval.WEEK)
    rows = [
        row
        for part in (observations[:9], observations[9:], observations[:9])
        for row in sketch(part)
        if axis.days.first.replace(day=1) <= row[0] <= axis.days.last
    ]
    whole, wanted = SketchedPrices(rows, axis, None), [True] * len(axis.buckets)
    for limit in (0, len(rows[0][1]), len(rows[0][1]) + len(rows[1][1])):
        monkeypatch.setattr(sketched_prices, "MAX_DECODED_BYTES", limit)
        parts = SketchedPrices(rows[::-1], axis, None)
        assert parts.counts == whole.counts
        asked = (0, 12.5, 50, 100)
        assert parts.percentiles(asked, wanted) == whole.percentiles(asked, wanted)


def test_memory_does_not_grow_with_the_rows_of_a_month() -> None:
    [(month, small)] = sketch([Observation(10_000 + 160 * number, 0, 0) for number in range(400)])
    rows = [(month, small)] * 10_000
    tracemalloc.start()
    try:
        prices = SketchedPrices(rows, divide(DateRange(FIRST, FIRST), None), None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert prices.counts == [4_000_000]
    assert peak < 60_000_000


def test_range_may_have_more_days_than_a_short_integer() -> None:
    observations = [Observation(cents, day, day) for cents, day in ((100, 0), (101, 1), (127, 40_000))]
    case = Case(observations, divide(DateRange(FIRST, FIRST + timedelta(40_000)), Interval.DAY), None)
    for prices in (SketchedPrices([*sketch(observations)], case.axis, None), case.sorted_prices()):
        [found] = prices.percentiles([50], [True] * 40_001)
        assert {day: price for day, price in enumerate(found) if price is not None} == {0: 1.0, 1: 1.01, 40_000: 1.27}
