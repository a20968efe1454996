"""Figures of buckets against an oracle in plain Python with exact fractions.

Prices, ranges and rates are random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.intervals import Axis, Interval, divide
from domain.price_series import NullReason, change_percents, changes, summarize
from domain.prices import RATE_UNITS, DateRange, DayTotals, PackedPrices
from resolvers.analysis.price_statistics import PACKED_EPOCH, SortedPrices

FIRST = date(2023, 12, 20)
PERCENTILES = st.sampled_from([0, 2.5, 25, 33.3, 50, 75, 97.5, 100]) | st.floats(0, 100)


@dataclass(frozen=True)
class Observation:
    """Price in US cents on each day between two offsets from FIRST, both inclusive."""

    cents: int
    first: int
    last: int


@dataclass(frozen=True)
class Case:
    """Observations, and a question about them."""

    observations: Sequence[Observation]
    axis: Axis
    rates: list[int | None] | None

    def prices(self, start: int, stop: int) -> list[Fraction | None]:
        """Return the prices in cents of the currency between two days; None on days without a rate."""
        return [
            Fraction(each.cents) if self.rates is None else self._convert(each.cents, self.rates[day])
            for day in range(start, stop)
            for each in self.observations
            if each.first <= day <= each.last
        ]

    @staticmethod
    def _convert(cents: int, rate: int | None) -> Fraction | None:
        return None if rate is None else Fraction(cents * RATE_UNITS, rate)

    def by_bucket(self) -> Iterator[list[Fraction | None]]:
        """Yield the prices of each bucket."""
        for start, stop, _ in self.axis.buckets:
            yield self.prices(start, stop)

    def totals(self) -> DayTotals:
        """Return the sums and counts by day in US cents."""
        days = [
            [each.cents for each in self.observations if each.first <= day <= each.last]
            for day in range(len(self.axis.days))
        ]
        return DayTotals([sum(day) for day in days], [len(day) for day in days])

    def sorted_prices(self) -> SortedPrices:
        """Return the observations as the database sends them, sorted by the code under test."""
        base = FIRST.toordinal() - PACKED_EPOCH
        valid = [each for each in self.observations if each.last >= 0 and each.first < len(self.axis.days)]
        packed = PackedPrices(
            b"".join(each.cents.to_bytes(8, "big", signed=True) for each in valid),
            b"".join((base + each.first).to_bytes(4, "big", signed=True) for each in valid),
            b"".join((base + each.last).to_bytes(4, "big", signed=True) for each in valid),
        )
        return SortedPrices(packed, self.axis, self.rates)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case; equal prices, negative ones and days without a rate are frequent."""
    length = draw(st.integers(1, 100))
    interval = draw(st.sampled_from([*Interval, None]))
    axis = divide(DateRange(FIRST, FIRST + timedelta(days=length - 1)), interval)
    amounts = st.sampled_from([0, 1, 100, 100_001, -50_000]) | st.integers(-(10**9), 10**9)
    validity = st.integers(-40, length + 5).flatmap(
        lambda first: st.integers(first, first + 60).map(lambda last: (first, last))
    )
    observations = draw(
        st.lists(st.builds(lambda cents, days: Observation(cents, *days), amounts, validity), max_size=12)
    )
    rate = st.none() | st.sampled_from([RATE_UNITS, 1_093_100_000_001, 6_900_000_000]) | st.integers(1, 10**18)
    rates = draw(st.none() | st.lists(rate, min_size=length, max_size=length))
    return Case(observations, axis, rates)


def round_half_away(value: Fraction, digits: int = 2) -> float:
    """Round to decimals, halves away from zero."""
    units: int = 10**digits
    scaled = abs(value) * units
    rounded = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (rounded if value >= 0 else -rounded) / units


def percentile(prices: Sequence[Fraction], at: float) -> Fraction:
    """Return the percentile of sorted prices, linear between neighbours."""
    position = (len(prices) - 1) * Fraction(repr(at)) / 100
    below = int(position)
    above = min(below + 1, len(prices) - 1)
    return prices[below] + (prices[above] - prices[below]) * (position - below)


def known(prices: Sequence[Fraction | None], minimum: int) -> list[Fraction] | NullReason:
    """Return the sorted prices of a bucket, or why it has no figures."""
    if len(prices) < minimum:
        return NullReason.BELOW_MINIMUM_SAMPLE if prices else NullReason.NO_PRICES
    converted = [price for price in prices if price is not None]
    return sorted(converted) if len(converted) == len(prices) else NullReason.NO_EXCHANGE_RATE


@given(case=cases(), minimum=st.integers(1, 5))
def test_averages_and_changes_match_the_oracle(case: Case, minimum: int) -> None:
    figures = summarize(case.totals(), case.axis, minimum, case.rates)
    means: list[Fraction | None] = []
    for count, reason, prices in zip(figures.counts, figures.null_reasons, case.by_bucket(), strict=True):
        expected = known(prices, minimum)
        assert count == len(prices)
        assert reason == (expected if isinstance(expected, NullReason) else None)
        means.append(None if isinstance(expected, NullReason) else sum(expected, Fraction(0)) / len(expected))
    assert figures.averages == [None if mean is None else round_half_away(mean / 100) for mean in means]
    pairs = list(zip([None, *means], means, strict=False))
    assert changes(figures.means) == [
        None if mean is None or before is None else round_half_away((mean - before) / 100) for before, mean in pairs
    ]
    assert change_percents(figures.means) == [
        None if mean is None or not before else round_half_away((mean - before) / abs(before) * 100)
        for before, mean in pairs
    ]


@given(case=cases(), minimum=st.integers(1, 5), at=PERCENTILES)
def test_percentiles_match_the_oracle(case: Case, minimum: int, at: float) -> None:
    expected = [known(prices, minimum) for prices in case.by_bucket()]
    prices = case.sorted_prices()
    assert prices.counts == [len(each) for each in case.by_bucket()]
    assert prices.percentiles(at, [not isinstance(each, NullReason) for each in expected]) == [
        None if isinstance(each, NullReason) else round_half_away(percentile(each, at) / 100) for each in expected
    ]


@given(case=cases(), amount=st.integers(-(10**9), 10**9) | st.sampled_from([-(10**16) - 1, 10**16 + 1]))
def test_rank_matches_the_oracle(case: Case, amount: int) -> None:
    axis = divide(case.axis.days, None)
    whole = Case(case.observations, axis, case.rates)
    [prices] = [known(prices, 1) for prices in whole.by_bucket()]
    if isinstance(prices, NullReason):
        assert prices is NullReason.NO_EXCHANGE_RATE or whole.sorted_prices().rank_tenths(amount, 10**4) is None
        return
    # Half of the amounts equal a price, where it has at most four decimals.
    wanted = Fraction(amount, 100) if amount % 2 else prices[amount % len(prices)]
    units = int(wanted * 100)
    cents = Fraction(units, 100)
    below, equal = sum(price < cents for price in prices), sum(price == cents for price in prices)
    rank = round_half_away(Fraction(1_000 * (2 * below + equal), 2 * len(prices)), 0)
    assert whole.sorted_prices().rank_tenths(units, 10**4) == rank


def test_buckets_cover_every_day_once_and_are_partial_if_cut() -> None:
    days = DateRange(date(2015, 12, 30), date(2016, 1, 4))
    weeks = divide(days, Interval.WEEK)
    assert weeks.first_days() == [date(2015, 12, 30), date(2016, 1, 4)]
    assert weeks.last_days() == [date(2016, 1, 3), date(2016, 1, 4)]
    assert [bucket.is_partial for bucket in weeks.buckets] == [True, True]
    quarters = divide(DateRange(date(2016, 1, 1), date(2016, 4, 1)), Interval.QUARTER)
    assert [(bucket.start, bucket.stop, bucket.is_partial) for bucket in quarters.buckets] == [
        (0, 91, False),
        (91, 92, True),
    ]
    latest = divide(DateRange(date.max, date.max), Interval.YEAR)
    assert [(bucket.start, bucket.stop, bucket.is_partial) for bucket in latest.buckets] == [(0, 1, True)]
