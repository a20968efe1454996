"""Figures of buckets against an oracle in plain Python with exact fractions.

Prices, ranges and rates are random.
"""

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.intervals import Interval, divide
from domain.price_series import NullReason, change_percents, changes, summarize
from domain.prices import DateRange
from tests.support.analysis.cases import PERCENTILES, Case, cases, known, percentile, round_half_away


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
    [found] = prices.percentiles([at], [not isinstance(each, NullReason) for each in expected])
    assert found == [
        None if isinstance(each, NullReason) else round_half_away(percentile(each, at) / 100) for each in expected
    ]


@given(case=cases(), amount=st.integers(-(10**9), 10**9) | st.sampled_from([-(10**16) - 1, 10**16 + 1]))
def test_rank_matches_the_oracle(case: Case, amount: int) -> None:
    axis = divide(case.axis.days, None)
    whole = Case(case.observations, axis, case.rates)
    [prices] = [known(prices, 1) for prices in whole.by_bucket()]
    if isinstance(prices, NullReason):
        assert prices is NullReason.NO_EXCHANGE_RATE or whole.sorted_prices().rank(amount, 10**4) is None
        return
    # Half of the amounts equal a price, where it has at most four decimals.
    wanted = Fraction(amount, 100) if amount % 2 else prices[amount % len(prices)]
    units = int(wanted * 100)
    cents = Fraction(units, 100)
    below, equal = sum(price < cents for price in prices), sum(price == cents for price in prices)
    rank = round_half_away(Fraction(1_000 * (2 * below + equal), 2 * len(prices)), 0)
    assert whole.sorted_prices().rank(units, 10**4) == (rank, 0)


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
