"""Questions of analysts: GraphQL documents with every figure, and strategies for variables."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from tests.support.analysis.figures import PERCENTILES, Json
from tests.support.batches.strategies import PORTS, REGIONS, amounts
from tests.support.worlds import Item, World, to_cents

ALIASES = " ".join(f"{name}: percentile(at: {at})" for name, at in PERCENTILES.items())
DOCUMENTS = {
    "priceSeries": f"""
query ($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!, $interval: Interval!, $minimumSample: Int!,
       $currency: String!, $fallback: FallbackInput) {{
  priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo, interval: $interval, minimumSample: $minimumSample,
              currency: $currency, fallback: $fallback) {{
    currency interval from to partial
    lanes {{
      askedOrigin {{ key }} askedDestination {{ key }} origin {{ key }} destination {{ key }}
      originLevelsUp destinationLevelsUp sufficient statisticsError
      counts averages nullReasons changes changePercents lows highs medians {ALIASES}
      buckets {{ from to partial count average nullReason change changePercent low high median {ALIASES} }}
    }}
  }}
}}
""",
    "laneMatrix": """
query ($origins: [String!]!, $destinations: [String!]!, $dateFrom: Date!, $dateTo: Date!, $minimumSample: Int!,
       $currency: String!) {
  laneMatrix(origins: $origins, destinations: $destinations, dateFrom: $dateFrom, dateTo: $dateTo,
             minimumSample: $minimumSample, currency: $currency) {
    currency origins { key } destinations { key } averages counts nullReasons
  }
}
""",
    "benchmark": """
query ($origin: String!, $destination: String!, $price: PriceAmount!, $currency: String!, $dateFrom: Date!, $dateTo: Date,
       $minimumSample: Int!) {
  benchmark(origin: $origin, destination: $destination, price: $price, currency: $currency, dateFrom: $dateFrom,
            dateTo: $dateTo, minimumSample: $minimumSample) {
    count marketAverage difference differencePercent percentileRank percentileRankError nullReason
  }
}
""",
    "coverage": """
query ($origin: String!, $destination: String!, $minimumSample: Int!) {
  coverage(origin: $origin, destination: $destination, minimumSample: $minimumSample) {
    origin { key } destination { key }
    firstDay lastDay priceCount pricedDays sufficientDays gapCount gaps { from to }
  }
}
""",
    "lanes": """
query ($origin: String, $destination: String, $first: Int, $after: String, $last: Int, $before: String) {
  lanes(origin: $origin, destination: $destination, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { origin { key } destination { key } firstDay lastDay averageDays } }
  }
}
""",
    "dataPeriod": "{ dataPeriod { firstDay lastDay priceCount hasDemoData } }",
}
BUCKET_COLUMNS = {
    "count": "counts",
    "average": "averages",
    "nullReason": "nullReasons",
    "change": "changes",
    "changePercent": "changePercents",
    "low": "lows",
    "high": "highs",
    "median": "medians",
    **{name: name for name in PERCENTILES},
}
"""Column of each field of a bucket."""
TURNS = [date(2020, 2, 26), date(2020, 12, 26), date(2021, 3, 28)]
"""Days before a 29 February, before the week 53 of 2020, which ends in 2021, and before the end of a quarter."""
spellings = st.sampled_from([str.lower, str.upper, lambda key: f" {key}\t"])
RATES = [Decimal(1), Decimal("0.5"), Decimal("1.0931"), Decimal("0.006912345678")]
BUSY_PORTS = PORTS[:3]
"""Ports with most of the prices. The others are often without any."""

currencies = st.sampled_from(["USD", "EUR", "EUR", "JPY", " eur"])
minimum_samples = st.sampled_from([1, 1, 2, 3, 5, 40])
fallbacks = st.none() | st.fixed_dictionaries(
    {
        "maxLevels": st.sampled_from([1, 2, 20]),
        "coverage": st.sampled_from([0, 0.07, 0.1, 0.3, 0.5, 0.75, 1]),
    }
)
SHORT, LONG = st.integers(1, 12), st.integers(13, 400)
"""Lengths of ranges in days."""


def rarely(draw: st.DrawFn) -> bool:
    """Draw true once in ten times; strategies in `one_of` are not weighted."""
    return draw(st.integers(0, 9)) == 5


@st.composite
def places(draw: st.DrawFn, world: World) -> str:
    """Draw a location: most often a port with prices, or a region above one."""
    found = draw(st.sampled_from([*PORTS, *REGIONS] if rarely(draw) else BUSY_PORTS))
    above = [region for region in REGIONS if world.is_within(region, found)] if found in PORTS else []
    place = draw(st.sampled_from([found, *above, *above]))
    return draw(spellings)(place) if rarely(draw) else place


def days_near(turn: date) -> st.SearchStrategy[date]:
    """Draw a day soon after the turn, or rarely one of the months around it."""
    near = st.integers(0, 11)
    return st.one_of(near, near, near, st.integers(-300, 300)).map(lambda offset: turn + timedelta(days=offset))


def items_near(turn: date) -> st.SearchStrategy[Item]:
    """Draw an item of an upload, most often of one day and with a small amount."""
    return st.builds(
        lambda origin, destination, first, length, price: Item(
            origin, destination, first, first + timedelta(days=length), price
        ),
        st.sampled_from([*BUSY_PORTS, *PORTS]),
        st.sampled_from([*BUSY_PORTS, *PORTS]),
        days_near(turn),
        st.sampled_from([0, 0, 0, 0, 0, 1, 6, 30, 31, 32, 40, 400]),
        st.integers(-1_000, 1_500).map(lambda cents: Decimal(cents).scaleb(-2)) | amounts,
    )


@st.composite
def ranges(draw: st.DrawFn, turn: date, length: st.SearchStrategy[int] = SHORT | SHORT | LONG) -> Json:
    """Draw the first and last day of a question, with a currency and a minimum sample."""
    first = draw(days_near(turn))
    return {
        "dateFrom": str(first),
        "dateTo": str(first + timedelta(days=draw(length) - 1)),
        "currency": draw(currencies),
        "minimumSample": draw(minimum_samples),
    }


@st.composite
def series_questions(draw: st.DrawFn, turn: date, world: World) -> Json:
    """Draw the variables of `priceSeries`; a lane may be unknown, or be there twice."""
    ends = places(world)
    lanes = draw(st.lists(st.fixed_dictionaries({"origin": ends, "destination": ends}), min_size=2, max_size=5))
    if rarely(draw):
        lanes.append({"origin": draw(st.sampled_from(["ZZZZZ", "nowhere"])), "destination": draw(ends)})
    interval = draw(st.sampled_from(["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"]))
    return {
        # A long range of single days takes more time than all other questions, and is no other case.
        **draw(ranges(turn, SHORT if interval == "DAY" else SHORT | LONG)),
        "lanes": lanes,
        "interval": interval,
        "fallback": draw(fallbacks),
    }


@st.composite
def matrix_questions(draw: st.DrawFn, turn: date, world: World) -> Json:
    """Draw the variables of `laneMatrix`."""
    sides = st.lists(places(world), max_size=5)
    return {**draw(ranges(turn)), "origins": draw(sides), "destinations": draw(sides)}


@st.composite
def benchmark_questions(draw: st.DrawFn, turn: date, world: World) -> Json:
    """Draw the variables of `benchmark`.

    The price is most often one of the world, converted and rounded to 4 decimals.
    """
    known = sorted({to_cents(item.price) for item in world.items}) or [Decimal(0)]
    converted = draw(st.sampled_from(known)) / draw(st.sampled_from(RATES))
    price = draw(amounts) if rarely(draw) else converted.quantize(Decimal("0.0001"))
    question = {**draw(ranges(turn)), "origin": draw(places(world)), "destination": draw(places(world))}
    if draw(st.booleans()):
        del question["dateTo"]
    return {**question, "price": str(price)}


@st.composite
def coverage_questions(draw: st.DrawFn, world: World) -> Json:
    """Draw the variables of `coverage`."""
    ends = places(world)
    return {"origin": draw(ends), "destination": draw(ends), "minimumSample": draw(minimum_samples)}


@st.composite
def lane_questions(draw: st.DrawFn, world: World) -> Json:
    """Draw the ends of `lanes`, the size of a page, and whether to page backward."""
    ends = st.none() | places(world)
    return {
        "origin": draw(ends),
        "destination": draw(ends),
        "size": draw(st.integers(1, 30)),
        "is_backward": draw(st.booleans()),
    }


@st.composite
def rates_near(draw: st.DrawFn, turn: date) -> dict[str, dict[date, Decimal]]:
    """Draw rates by currency and published day.

    They come in runs, with gaps around the maximum age of a rate.
    """
    values = st.sampled_from(RATES)
    found: dict[str, dict[date, Decimal]] = {}
    for currency in draw(st.sampled_from([["EUR", "JPY"], ["EUR", "JPY"], ["EUR"], []])):
        published = found.setdefault(currency, {})
        for _ in range(draw(st.integers(1, 3))):
            first = draw(days_near(turn)) - timedelta(days=draw(st.integers(0, 20)))
            stride = timedelta(days=draw(st.sampled_from([1, 2, 7, 14, 15, 16])))
            run = draw(st.lists(values, min_size=1, max_size=3))
            for number in range(draw(st.sampled_from([1, 2, 20, 80]))):
                published[first + number * stride] = run[number % len(run)]
    return found
