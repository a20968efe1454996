"""Average prices by day: what the totals say, and on request what the observations add to it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from db.errors import DatabaseError
from db.model import (
    MIN_PRICES_FOR_STATISTICS,
    DailyAverages,
    DateRange,
    DayStatistics,
    DayTotals,
    round_half_away,
)
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.locations import find_lanes
from resolvers.totals import LaneDays

Loaded = TypeVar("Loaded")


@dataclass(frozen=True, slots=True)
class Question:
    """What one `averagePrices` asks for. Low, high and median are read from the observations, and only `with_statistics`."""

    date_from: date
    date_to: date
    origin: str
    destination: str
    with_statistics: bool


async def average_prices(context: RequestContext, questions: Sequence[Question]) -> list[DailyAverages | Exception]:
    """Return for each question the averages of every day of its range, in order, or why there are none.

    That is a RequestError (INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG, UNKNOWN_LOCATION) or a DatabaseError. All questions share
    their round trips.
    """
    answers: dict[Question, DailyAverages | Exception] = {}
    ranges: dict[Question, DateRange] = {}
    for question in questions:
        try:
            ranges[question] = check_range(question.date_from, question.date_to, context.limits.max_days)
        except RequestError as error:
            answers[question] = error
    lanes = await find_lanes(context, [(question.origin, question.destination) for question in ranges])
    plain: dict[Question, LaneDays] = {}
    detailed: dict[Question, LaneDays] = {}
    for (question, days), lane in zip(ranges.items(), lanes, strict=True):
        if isinstance(lane, Exception):
            answers[question] = lane
        else:
            (detailed if question.with_statistics else plain)[question] = (lane, days)
    if plain:
        answers |= await _load(plain, context.totals.load_many, _averages)
    if detailed:
        answers |= await _load(detailed, context.loaders.day_statistics.load_many, _with_statistics)
    return [answers[question] for question in questions]


async def _load(
    asked: Mapping[Question, LaneDays],
    load_many: Callable[[list[LaneDays]], Awaitable[Sequence[Loaded]]],
    write: Callable[[DateRange, Loaded], DailyAverages],
) -> dict[Question, DailyAverages | Exception]:
    try:
        found = await load_many([*asked.values()])
    except DatabaseError as error:
        return dict.fromkeys(asked, error)
    return {question: write(days, loaded) for (question, (_, days)), loaded in zip(asked.items(), found, strict=True)}


def check_range(
    date_from: date, date_to: date, max_days: int, *, names: tuple[str, str] = ("dateFrom", "dateTo")
) -> DateRange:
    """Return the range, or raise RequestError when it runs backwards or is too long. `names` are the arguments'."""
    name_from, name_to = names
    if date_from > date_to:
        raise RequestError(
            "INVALID_DATE_RANGE",
            f"{name_from} ({date_from}) is after {name_to} ({date_to}).",
            argument=name_from,
        )
    days = DateRange(date_from, date_to)
    if len(days) > max_days:
        raise RequestError(
            "DATE_RANGE_TOO_LONG",
            f"{len(days)} days are asked for; at most {max_days} are answered at once.",
            argument=name_to,
            maxDays=max_days,
        )
    return days


def usd(numerator: int, denominator: int) -> float:
    """Return numerator / denominator US cents in US dollars, rounded to cents, halves away from zero."""
    return round_half_away(numerator, denominator) / 100


def _averages(days: DateRange, totals: DayTotals) -> DailyAverages:
    averages = [
        usd(total, count) if count >= MIN_PRICES_FOR_STATISTICS else None
        for total, count in zip(totals.sums, totals.counts, strict=True)
    ]
    return DailyAverages(days, averages, totals.counts)


def _with_statistics(days: DateRange, entries: list[DayStatistics]) -> DailyAverages:
    answer = DailyAverages(days, *([None] * len(days) for _ in range(5)))  # type: ignore[arg-type]
    answer.counts[:] = [0] * len(days)
    for entry in entries:
        at = (entry.day - days.first).days
        answer.counts[at] = entry.price_count
        if entry.price_count >= MIN_PRICES_FOR_STATISTICS:
            answer.averages[at] = usd(entry.price_sum, entry.price_count)
            answer.lows[at], answer.highs[at] = usd(entry.low, 1), usd(entry.high, 1)
            answer.medians[at] = usd(entry.median_half_cents, 2)
    return answer
