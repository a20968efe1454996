"""Cost of the analysis fields: the work behind each, and the sizes of the lists below it.

A series reads its days, and its lists have one entry per bucket. Statistics read single prices or sketches, once per lane
however many of them are selected. Arguments that a resolver rejects cost nothing.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from domain.intervals import Interval, divide
from domain.prices import DateRange
from graph.cost_formula import Cost, Size, Variables
from resolvers.analysis.coverage import MAX_GAPS
from resolvers.analysis.lane_matrix import MAX_SIDE
from resolvers.analysis.price_series import MAX_LANES

DAYS_PER_ENTRY = 10
"""Days of totals that cost as much to read and sum as an entry of a response."""
STATISTIC_COST = 1
"""Additional cost per day of a lane whose statistics are selected.

A year takes 3 ms from sketches, 2 ms from the prices of two ports, and 4 to 80 ms from up to 20,000 prices of two regions. 365
units are 7 ms. Where a port has more prices, their number is limited.
"""
LIST_STATISTIC_COST = 5
"""Cost of a list of statistics, which is computed in a thread, in addition to that of its entries.

55 percentiles of 100 lanes take 0.5 s for 10 days and 1.4 s for 121 days, converted to euros.
"""
STATISTICS_PER_ENTRY = 10
"""Entries of such a list that cost as much to compute as an entry of a response."""
BUCKET_STATISTIC_COST = 3
"""Cost of a statistic of a single bucket, which the executor awaits: 60 microseconds."""
PRICED_LANE_COST = 8
"""Cost of an entry of `lanes`, whose days are all read: 500 take 80 ms."""
FALLBACK_FACTOR = 4
"""Factor of the cost with a fallback, which reads several candidates for a lane."""
WHOLE_HISTORY_COST = 400
"""Cost of reading all days of a lane, or all lanes."""
DAYS_PER_MATRIX_ENTRY = 31
SERIES_STATISTICS = frozenset({"lows", "highs", "medians", "low", "high", "median", "percentile", "statisticsError"})
"""Fields of series and their buckets that are computed from single prices or sketches, or that depend on which of them."""

DATE_LENGTH = len("2026-01-31")
Reader = Callable[[Variables], Any]
"""Reads an argument from the variables; None if it is omitted."""
Arguments = Mapping[str, Reader]


class AnalysisCost(NamedTuple):
    """Work of a field in entries, and the sizes of the lists below it.

    The sizes are keyed by the name of a type, for all of its lists, or by `Type.field`.
    """

    work: Size
    list_sizes: Mapping[str, Size]

    def list_size(self, type_name: str, field: str) -> Size | None:
        """Return the size of a list below the field, or None if it is not known in advance."""
        return self.list_sizes.get(f"{type_name}.{field}") or self.list_sizes.get(type_name)


def statistic_cost(name: str, size: Size | None) -> Cost:
    """Return the cost of computing a field if it is a statistic.

    `size` is that of its list, None for a single value.
    """
    if name not in SERIES_STATISTICS:
        return Cost()
    if size is None:
        return Cost(BUCKET_STATISTIC_COST)
    return Cost(LIST_STATISTIC_COST).plus(Cost(1).times(lambda variables: -(-size(variables) // STATISTICS_PER_ENTRY)))


def _series_cost(arguments: Arguments, max_days: int, *, with_statistics: bool) -> AnalysisCost:
    days = _days_reader(arguments, max_days)
    lanes = _length_reader(arguments["lanes"], MAX_LANES)

    def buckets(variables: Variables) -> int:
        size = days(variables)
        interval = arguments["interval"](variables) or Interval.DAY
        if not size or not isinstance(interval, str) or interval not in Interval.__members__:
            return size
        first = date.fromisoformat(arguments["dateFrom"](variables))
        last = date.fromordinal(first.toordinal() + size - 1)
        return len(divide(DateRange(first, last), Interval(interval)).buckets)

    def work(variables: Variables) -> int:
        size = days(variables)
        per_lane = -(-size // DAYS_PER_ENTRY) + buckets(variables) + (STATISTIC_COST * size if with_statistics else 0)
        factor = 1 if arguments["fallback"](variables) is None else FALLBACK_FACTOR
        return factor * lanes(variables) * per_lane

    return AnalysisCost(work, {"PriceSeriesSet": buckets, "PriceSeriesSet.lanes": lanes, "PriceSeries": buckets})


def _matrix_cost(arguments: Arguments, max_days: int, *, with_statistics: bool) -> AnalysisCost:  # noqa: ARG001
    days = _days_reader(arguments, max_days)
    rows, columns = (_length_reader(arguments[name], MAX_SIDE) for name in ("origins", "destinations"))

    def pairs(variables: Variables) -> int:
        return rows(variables) * columns(variables)

    def work(variables: Variables) -> int:
        size = days(variables)
        return pairs(variables) * (1 + size // DAYS_PER_MATRIX_ENTRY) if size else 0

    # A row of a list of lists has brackets and a comma too.
    return AnalysisCost(
        work,
        {
            "LaneMatrix": lambda variables: pairs(variables) + rows(variables),
            "LaneMatrix.origins": rows,
            "LaneMatrix.destinations": columns,
        },
    )


def _benchmark_cost(arguments: Arguments, max_days: int, *, with_statistics: bool) -> AnalysisCost:  # noqa: ARG001
    days = _days_reader(arguments, max_days)
    return AnalysisCost(lambda variables: 1 + STATISTIC_COST * days(variables), {})


def _whole_history_cost(_arguments: Arguments, _max_days: int, *, with_statistics: bool) -> AnalysisCost:  # noqa: ARG001
    return AnalysisCost(lambda _: WHOLE_HISTORY_COST, {"LaneCoverage": lambda _: MAX_GAPS})


CONNECTION_ENTRY_COSTS: Mapping[str, int] = {"PricedLaneConnection": PRICED_LANE_COST}
"""Cost of an entry of a connection by its type, where it is not 1."""
ANALYSIS_COSTS: Mapping[str, Callable[..., AnalysisCost]] = {
    "PriceSeriesSet": _series_cost,
    "LaneMatrix": _matrix_cost,
    "Benchmark": _benchmark_cost,
    "LaneCoverage": _whole_history_cost,
    "DataPeriod": _whole_history_cost,
    "PricedLaneConnection": _whole_history_cost,
}
"""Cost function of each field of the analysis by its type."""


def _days_reader(arguments: Arguments, max_days: int) -> Size:
    """Return a function that counts the days of the range; without `dateTo` it is one day."""

    def days(variables: Variables) -> int:
        first, last = arguments["dateFrom"](variables), arguments["dateTo"](variables)
        return count_days(first, first if last is None else last, max_days)

    return days


def _length_reader(read: Reader, maximum: int) -> Size:
    """Return a function that counts the entries of a list argument."""

    def length(variables: Variables) -> int:
        found = read(variables)
        # GraphQL accepts a single value in place of a list.
        count = len(found) if isinstance(found, list) else 1
        return count if count <= maximum else 0

    return length


def count_days(first: object, last: object, max_days: int) -> int:
    """Return the days of a range that its resolver accepts, and 0 for any other value."""
    if not isinstance(first, str) or not isinstance(last, str):
        return 0
    if len(first) != DATE_LENGTH or len(last) != DATE_LENGTH:
        # The error of `fromisoformat` quotes the whole text.
        return 0
    try:
        days = date.fromisoformat(last).toordinal() - date.fromisoformat(first).toordinal() + 1
    except ValueError:
        return 0
    return days if 0 < days <= max_days else 0
