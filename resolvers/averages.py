"""Average prices by day: what the totals say, and on request what the observations add to it."""

from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

from db.errors import DatabaseError
from domain.locations import Lane
from domain.prices import MIN_PRICES_FOR_STATISTICS, DailyAverages, DateRange, DayStatistics, DayTotals, round_half_away
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.loading.day_totals import LaneDays
from resolvers.locations import resolve_lanes

Loaded = TypeVar("Loaded")
PendingLane = tuple[int, Lane, DateRange]
"""The position of a question, and what is to be loaded for it."""


class AveragePricesQuery(NamedTuple):
    """What one `averagePrices` asks for. Low, high and median are read from the observations, and only `with_statistics`."""

    date_from: date
    date_to: date
    origin: str
    destination: str
    with_statistics: bool


async def average_prices(
    context: RequestContext, questions: Sequence[AveragePricesQuery]
) -> list[DailyAverages | Exception]:
    """Return for each question the averages of every day of its range, in order, or why there are none.

    That is a RequestError (INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG, UNKNOWN_LOCATION) or a DatabaseError. All questions share
    their round trips.
    """
    answers: list[DailyAverages | Exception | None] = [None] * len(questions)
    sound: list[tuple[int, DateRange]] = []
    for position, question in enumerate(questions):
        try:
            sound.append((position, check_range(question.date_from, question.date_to, context.app.limits.max_days)))
        except RequestError as error:
            answers[position] = error
    asked = [questions[position] for position, _ in sound]
    lanes = await resolve_lanes(context, [(question.origin, question.destination) for question in asked])
    plain: list[PendingLane] = []
    detailed: list[PendingLane] = []
    for (position, days), question, lane in zip(sound, asked, lanes, strict=True):
        if isinstance(lane, Exception):
            answers[position] = lane
        else:
            (detailed if question.with_statistics else plain).append((position, lane, days))
    if plain:
        await _load_into(plain, context.load_totals, _averages_from_totals, answers)
    if detailed:
        await _load_into(detailed, context.loaders.day_statistics.load_many, _averages_with_statistics, answers)
    return answers  # type: ignore[return-value]  # each has its answer now


async def _load_into(
    places: Sequence[PendingLane],
    load_many: Callable[[list[LaneDays]], Awaitable[Sequence[Loaded]]],
    write: Callable[[DateRange, Loaded], DailyAverages],
    answers: MutableSequence[DailyAverages | Exception | None],
) -> None:
    """Put the answers where they are missing."""
    try:
        found = await load_many([(lane, days) for _, lane, days in places])
    except DatabaseError as error:
        for position, _, _ in places:
            answers[position] = error
    else:
        for (position, _, days), loaded in zip(places, found, strict=True):
            answers[position] = write(days, loaded)


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


def cents_ratio_to_usd(numerator: int, denominator: int) -> float:
    """Return numerator / denominator US cents in US dollars, rounded to cents, halves away from zero."""
    return round_half_away(numerator, denominator) / 100


def _averages_from_totals(days: DateRange, totals: DayTotals) -> DailyAverages:
    # `usd`, written out: for as many days as answers have, two calls each would take as long again.
    averages = [
        None
        if count < MIN_PRICES_FOR_STATISTICS
        else ((count >> 1) + total) // count / 100
        if total >= 0
        else -(((count >> 1) - total) // count) / 100
        for total, count in zip(totals.sums, totals.counts, strict=True)
    ]
    return DailyAverages(days, averages, totals.counts)


def _averages_with_statistics(days: DateRange, entries: list[DayStatistics]) -> DailyAverages:
    counts = [0] * len(days)
    averages, lows, highs, medians = (list[float | None]([None] * len(days)) for _ in range(4))
    for entry in entries:
        at = (entry.day - days.first).days
        counts[at] = entry.price_count
        if entry.price_count >= MIN_PRICES_FOR_STATISTICS:
            averages[at] = cents_ratio_to_usd(entry.price_sum, entry.price_count)
            lows[at], highs[at] = cents_ratio_to_usd(entry.low, 1), cents_ratio_to_usd(entry.high, 1)
            medians[at] = cents_ratio_to_usd(entry.median_half_cents, 2)
    return DailyAverages(days, averages, counts, lows, highs, medians)
