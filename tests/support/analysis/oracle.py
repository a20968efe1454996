"""Oracle of the questions of analysts: plain Python with exact fractions.

It follows docs/reference/semantics.md, and uses neither totals, arrays, SQL nor code of the product. It looks at every price of
every day. Answers are in the form of the documents in `tests.support.analysis.questions`.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.support.analysis.figures import ONE_DAY, Bucket, Json, divide, percent, rounded, to_columns
from tests.support.worlds import World, days_between, to_cents

Price = Fraction | None
"""Price in a currency; None on a day without a rate."""

CODE_LENGTH = 5
MAX_RATE_AGE = timedelta(days=14)


def key_of(text: str) -> str:
    """Return the key that a text means: codes in upper case, slugs in lower case."""
    key = text.strip()
    return key.upper() if len(key) == CODE_LENGTH else key.lower()


def currency_of(question: Json) -> str:
    """Return the code of the question's currency."""
    code: str = question["currency"].strip().upper()
    return code


def to_ends(asked: tuple[str, str], ends: tuple[str, str], up: int, over: int) -> Json:
    """Return the ends of a series."""
    names = ("askedOrigin", "askedDestination", "origin", "destination")
    keys = {name: {"key": key} for name, key in zip(names, (*asked, *ends), strict=True)}
    return {**keys, "originLevelsUp": up, "destinationLevelsUp": over}


@dataclass(frozen=True)
class Oracle:
    """A world, and rates in US dollars by currency and published day."""

    world: World
    rates: Mapping[str, Mapping[date, Fraction]]

    def rate(self, currency: str, day: date) -> Fraction | None:
        """Return the rate of a day: the last published one, unless it is too old."""
        if currency == "USD":
            return Fraction(1)
        newest = max(max(published) for published in self.rates.values())
        published = [each for each in self.rates[currency] if each <= day]
        if not published or min(day, newest) - max(published) > MAX_RATE_AGE:
            return None
        return self.rates[currency][max(published)]

    def prices(
        self, origin: str, destination: str, days: Sequence[date], currency: str
    ) -> Iterator[tuple[date, Price]]:
        """Yield day and price of every price between two locations on the days, in no order."""
        for item in self.world.items:
            if self.world.is_within(origin, item.origin) and self.world.is_within(destination, item.destination):
                usd = Fraction(to_cents(item.price))
                for day in days_between(max(days[0], item.first), min(days[-1], item.last)):
                    rate = self.rate(currency, day)
                    yield day, None if rate is None else usd / rate

    def bucket(self, prices: Sequence[Price], minimum_sample: int) -> Bucket:
        """Return the bucket with these prices."""
        count = len(prices)
        if count == 0:
            return Bucket(count, (), "NO_PRICES")
        if count < minimum_sample:
            return Bucket(count, (), "BELOW_MINIMUM_SAMPLE")
        known = [price for price in prices if price is not None]
        if len(known) < count:
            return Bucket(count, (), "NO_EXCHANGE_RATE")
        return Bucket(count, sorted(known), None)

    def market(self, origin: str, destination: str, question: Json, parts: Sequence[Sequence[date]]) -> list[Bucket]:
        """Return the buckets of a lane for parts of a range, which follow each other."""
        by_day = defaultdict[date, list[Price]](list)
        for day, price in self.prices(origin, destination, [parts[0][0], parts[-1][-1]], currency_of(question)):
            by_day[day].append(price)
        return [
            self.bucket([price for day in part for price in by_day[day]], question["minimumSample"]) for part in parts
        ]

    def chain(self, place: str) -> list[str]:
        """Return the location and the regions above it, nearest first."""
        chain = [place]
        while (above := self.world.parents[chain[-1]]) is not None:
            chain.append(above)
        return chain

    def port_count(self, place: str) -> int:
        """Return the number of ports below the location, with or without prices."""
        return sum(self.world.is_within(place, port) for port in self.world.ports)

    def candidates(self, origin: str, destination: str, max_levels: int) -> list[tuple[str, str, int, int]]:
        """Return the markets that may answer for a lane, in the order in which they are tried."""
        pairs = [
            (start, end, up, over)
            for up, start in enumerate(self.chain(origin)[: max_levels + 1])
            for over, end in enumerate(self.chain(destination)[: max_levels + 1])
        ]
        return sorted(
            pairs,
            key=lambda pair: (self.port_count(pair[0]) * self.port_count(pair[1]), pair[2] + pair[3], pair[2]),
        )

    def series(self, question: Json) -> Json:
        """Return the answer to `priceSeries` with the columns of `PERCENTILES`."""
        parts = divide(question)
        return {
            "currency": currency_of(question),
            "interval": question["interval"],
            "from": [str(days[0]) for days, _ in parts],
            "to": [str(days[-1]) for days, _ in parts],
            "partial": [is_partial for _, is_partial in parts],
            "lanes": [self.lane_series(lane, question, [days for days, _ in parts]) for lane in question["lanes"]],
        }

    def lane_series(self, lane: Json, question: Json, parts: Sequence[Sequence[date]]) -> Json | None:
        """Return the columns of one lane; None if a location is unknown."""
        asked = key_of(lane["origin"]), key_of(lane["destination"])
        if not all(key in self.world.parents for key in asked):
            return None
        fallback = question["fallback"]
        tried = [(*asked, 0, 0)] if fallback is None else self.candidates(*asked, fallback["maxLevels"])
        share = Fraction(0) if fallback is None else Fraction(str(fallback["coverage"]))
        needed = max(1, math.ceil(share * len(parts)))
        for origin, destination, up, over in tried:
            buckets = self.market(origin, destination, question, parts)
            if sum(bucket.null_reason is None for bucket in buckets) >= needed:
                return {**to_ends(asked, (origin, destination), up, over), **to_columns(buckets), "sufficient": True}
        buckets = self.market(*asked, question, parts)
        return {**to_ends(asked, asked, 0, 0), **to_columns(buckets), "sufficient": False}

    def matrix(self, question: Json) -> Json:
        """Return the answer to `laneMatrix`."""
        days = [date.fromisoformat(question["dateFrom"]), date.fromisoformat(question["dateTo"])]
        whole = [days_between(*days)]
        origins, destinations = ([key_of(key) for key in question[side]] for side in ("origins", "destinations"))
        rows = [[self.market(start, end, question, whole)[0] for end in destinations] for start in origins]
        return {
            "currency": currency_of(question),
            "origins": [{"key": key} for key in origins],
            "destinations": [{"key": key} for key in destinations],
            "counts": [[float(cell.count) for cell in row] for row in rows],
            "averages": [[rounded(cell.average) for cell in row] for row in rows],
            "nullReasons": [[cell.null_reason for cell in row] for row in rows],
        }

    def benchmark(self, question: Json) -> Json:
        """Return the answer to `benchmark`."""
        first = date.fromisoformat(question["dateFrom"])
        days = days_between(first, date.fromisoformat(question.get("dateTo") or str(first)))
        [market] = self.market(key_of(question["origin"]), key_of(question["destination"]), question, [days])
        answer = {
            "count": float(market.count),
            "marketAverage": rounded(market.average),
            "nullReason": market.null_reason,
        }
        if market.average is None:
            names = ("difference", "differencePercent", "percentileRank", "percentileRankError")
            return {**answer, **dict.fromkeys(names)}
        price = Fraction(question["price"])
        lower = sum(each < price for each in market.prices)
        equal = sum(each == price for each in market.prices)
        return {
            **answer,
            "difference": rounded(price - market.average),
            "differencePercent": percent(price - market.average, market.average),
            "percentileRank": rounded((lower + Fraction(equal, 2)) / market.count * 100, 1),
            "percentileRankError": 0.0,
        }

    def counts_by_day(self, origin: str, destination: str) -> dict[date, int]:
        """Return the number of prices on each day with any."""
        counts = defaultdict[date, int](int)
        for day, _ in self.prices(origin, destination, [date.min, date.max], "USD"):
            counts[day] += 1
        return counts

    def coverage(self, question: Json) -> Json:
        """Return the answer to `coverage`."""
        ends = key_of(question["origin"]), key_of(question["destination"])
        counts, minimum = self.counts_by_day(*ends), question["minimumSample"]
        first, last = min(counts, default=None), max(counts, default=None)
        gaps: list[Json] = []
        if first is not None and last is not None:
            thin = [day for day in days_between(first, last) if counts.get(day, 0) < minimum]
            starts = [day for day in thin if day - ONE_DAY not in thin]
            ends_of_gaps = [day for day in thin if day + ONE_DAY not in thin]
            gaps = [{"from": str(start), "to": str(end)} for start, end in zip(starts, ends_of_gaps, strict=True)]
        return {
            "origin": {"key": ends[0]},
            "destination": {"key": ends[1]},
            "firstDay": None if first is None else str(first),
            "lastDay": None if last is None else str(last),
            "priceCount": float(sum(counts.values())),
            "pricedDays": len(counts),
            "sufficientDays": sum(count >= minimum for count in counts.values()),
            "gapCount": len(gaps),
            "gaps": gaps,
        }

    def lanes(self, origin: str | None, destination: str | None) -> list[Json]:
        """Return the lanes of two ports with prices, by their codes."""
        found = []
        for start in sorted(self.world.ports):
            for end in sorted(self.world.ports):
                counts = self.counts_by_day(start, end)
                is_origin = origin is None or self.world.is_within(key_of(origin), start)
                is_destination = destination is None or self.world.is_within(key_of(destination), end)
                if counts and is_origin and is_destination:
                    found.append(
                        {
                            "origin": {"key": start},
                            "destination": {"key": end},
                            "firstDay": str(min(counts)),
                            "lastDay": str(max(counts)),
                            "averageDays": sum(count >= 3 for count in counts.values()),
                        }
                    )
        return found

    def period(self) -> Json:
        """Return the answer to `dataPeriod`."""
        items = self.world.items
        return {
            "firstDay": str(min(item.first for item in items)) if items else None,
            "lastDay": str(max(item.last for item in items)) if items else None,
            "priceCount": float(sum(len(days_between(item.first, item.last)) for item in items)),
            "hasDemoData": False,
        }
