"""Random observations with a question about them, and an oracle with exact fractions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from hypothesis import strategies as st

from domain.intervals import Axis, Interval, divide
from domain.price_series import NullReason
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


AMOUNTS = st.sampled_from([0, 1, 100, 100_001, -50_000]) | st.integers(-(10**9), 10**9)


def days_from_first(length: int) -> DateRange:
    """Return a range of days from FIRST on."""
    return DateRange(FIRST, FIRST + timedelta(days=length - 1))


@st.composite
def cases(draw: st.DrawFn, amounts: st.SearchStrategy[int] = AMOUNTS) -> Case:
    """Draw a case; equal prices, negative ones and days without a rate are frequent."""
    length = draw(st.integers(1, 100))
    interval = draw(st.sampled_from([*Interval, None]))
    axis = divide(days_from_first(length), interval)
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


def order_statistics(prices: Sequence[Fraction], at: float) -> tuple[Fraction, Fraction, Fraction]:
    """Return the prices around a percentile, and how far it lies between them, 0 to 1."""
    position = (len(prices) - 1) * Fraction(repr(at)) / 100
    below = int(position)
    return prices[below], prices[min(below + 1, len(prices) - 1)], position - below


def percentile(prices: Sequence[Fraction], at: float) -> Fraction:
    """Return the percentile of sorted prices, linear between neighbours."""
    below, above, part = order_statistics(prices, at)
    return below + (above - below) * part


def known(prices: Sequence[Fraction | None], minimum: int) -> list[Fraction] | NullReason:
    """Return the sorted prices of a bucket, or why it has no figures."""
    if len(prices) < minimum:
        return NullReason.BELOW_MINIMUM_SAMPLE if prices else NullReason.NO_PRICES
    converted = [price for price in prices if price is not None]
    return sorted(converted) if len(converted) == len(prices) else NullReason.NO_EXCHANGE_RATE
