"""Questions of analysts over HTTP: price series, coverage, matrices, benchmarks and files.

Series are compared with average prices of the same days, and with PostGraphile over a SQL function that sums the same
totals by week.
"""

from collections.abc import Sequence
from contextlib import ExitStack

import orjson
from rich.console import Console

from bench.data.world import ORIGINS, port
from bench.http.load import Request, Runner, check_equal_responses, measure_interleaved
from bench.http.queries import PATH, Places, create_body
from bench.http.servers import Server, postgraphile
from bench.http.targets import Goal, World, compare_latencies, compare_rates, print_loads
from bench.http.throughput import ROOT_TO_ROOT, YEAR
from bench.scale import Scale
from domain.prices import DateRange

LANE_COUNTS = (1, 10, 50)
SIDE = 20
"""Origins, and destinations, of the matrix."""
SERIES_VS_AVERAGES, MANY_VS_ONE = 1.3, 4.0
MATRIX_SECONDS, COVERAGE_SECONDS = 0.050, 0.005
SERIES = """
query Series($lanes: [LaneInput!]!, $from: Date!, $to: Date!) {
  priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: WEEK) { from lanes { averages counts } }
}
"""
WEEKS = """
query Weeks($origins: [String!]!, $destinations: [String!]!, $from: Date!, $to: Date!) {
  weeklyAverages(origins: $origins, destinations: $destinations, dateFrom: $from, dateTo: $to) {
    lane weekFrom averagePrice priceCount
  }
}
"""


def measure_questions(console: Console, server: Server, world: World, scale: Scale, *, with_peers: bool) -> list[Goal]:
    """Measure uncached questions, one connection each, and print their latencies."""
    days = world.period(YEAR)
    lanes = [(port(number), port(ORIGINS + number)) for number in range(max(LANE_COUNTS))]
    averages = Runner(
        "averagePrices, 365 days", server.url, Request(PATH, [create_body(lanes[0], days)]), connections=1
    )
    series = {
        count: Runner(f"{count} lanes by week", server.url, _series(lanes[:count], days), connections=1)
        for count in LANE_COUNTS
    }
    others = {name: Runner(name, server.url, request, connections=1) for name, request in _others(world, days).items()}
    files = [
        Runner(f"series.{kind}", server.url, _file(kind, lanes, days), connections=1) for kind in ("csv", "parquet")
    ]
    with ExitStack() as stack:
        peers = []
        if with_peers:
            peer = stack.enter_context(postgraphile(world.url, "by_totals", processes=1))
            peers = [
                Runner(f"{count} lanes, {peer.name}", peer.url, _weeks(lanes[:count], days), connections=1)
                for count in LANE_COUNTS
            ]
            _check_equal_weeks(series[LANE_COUNTS[-1]], peers[-1])
        runners = [averages, *series.values(), *others.values(), *files, *peers]
        for runner in (averages, *series.values(), *others.values()):
            check_equal_responses([runner])
        measure_interleaved(runners, scale)
    print_loads(console, f"Questions, uncached, {world.name}, one connection", {"": runners})
    rows = len(lanes) * len(orjson.loads(series[1].request.send(server.url).content)["data"]["priceSeries"]["from"])
    for runner in files:
        console.print(f"{runner.name}: {runner.rate * rows:,.0f} rows/s")
    one, many = series[1], series[LANE_COUNTS[-1]]
    return [
        compare_latencies("priceSeries by week vs averagePrices, 365 days", one, averages, SERIES_VS_AVERAGES),
        compare_latencies(f"priceSeries, {LANE_COUNTS[-1]} lanes vs 1", many, one, MANY_VS_ONE),
        _within(others[f"laneMatrix {SIDE} × {SIDE}, 31 days"], MATRIX_SECONDS),
        _within(others["coverage, root → root"], COVERAGE_SECONDS),
        *(
            compare_rates(f"priceSeries by week, {count} lanes", [series[count]], [peer], at_least=1.0)
            for count, peer in zip(LANE_COUNTS, peers, strict=False)
        ),
    ]


def _post(query: str, **variables: object) -> Request:
    return Request(PATH, [orjson.dumps({"query": query, "variables": variables})])


def _series(lanes: Sequence[Places], days: DateRange) -> Request:
    inputs = [{"origin": origin, "destination": destination} for origin, destination in lanes]
    return _post(SERIES, lanes=inputs, **{"from": str(days.first), "to": str(days.last)})


def _weeks(lanes: Sequence[Places], days: DateRange) -> Request:
    origins, destinations = zip(*lanes, strict=True)
    ends = {"origins": origins, "destinations": destinations}
    return _post(WEEKS, **ends, **{"from": str(days.first), "to": str(days.last)})


def _others(world: World, days: DateRange) -> dict[str, Request]:
    """Return the requests of the other questions by name."""
    month = world.period(31)
    ports = {
        "origins": [port(number) for number in range(SIDE)],
        "destinations": [port(ORIGINS + number) for number in range(SIDE)],
    }
    span = {"from": str(month.first), "to": str(month.last)}
    root, _ = ROOT_TO_ROOT
    lane = f'origin: "{port(0)}", destination: "{port(ORIGINS)}"'
    between = f'dateFrom: "{month.first}", dateTo: "{month.last}"'
    statistics = (
        f'{{ priceSeries(lanes: [{{ {lane} }}], dateFrom: "{days.first}", dateTo: "{days.last}", interval: WEEK)'
        " { lanes { lows medians highs p25: percentile(at: 25) p75: percentile(at: 75) } } }"
    )
    matrix = """query ($origins: [String!]!, $destinations: [String!]!, $from: Date!, $to: Date!) {
      laneMatrix(origins: $origins, destinations: $destinations, dateFrom: $from, dateTo: $to) { averages counts }
    }"""
    return {
        "five percentiles by week, port → port": _post(statistics),
        f"laneMatrix {SIDE} × {SIDE}, 31 days": _post(matrix, **ports, **span),
        "benchmark, port → port, 31 days": _post(
            f"{{ benchmark({lane}, price: 1000, {between}) {{ percentileRank }} }}"
        ),
        "coverage, root → root": _post(
            f'{{ coverage(origin: "{root}", destination: "{root}") {{ gapCount pricedDays }} }}'
        ),
    }


def _file(kind: str, lanes: Sequence[Places], days: DateRange) -> Request:
    ends = "&".join(f"lane={origin}:{destination}" for origin, destination in lanes)
    return Request(f"/series.{kind}?{ends}&dateFrom={days.first}&dateTo={days.last}&interval=WEEK")


def _check_equal_weeks(series: Runner, peer: Runner) -> None:
    """Raise AssertionError unless both servers give the same averages and counts."""
    own = orjson.loads(series.request.send(series.url).content)["data"]["priceSeries"]
    expected = [
        (number, first, average, count)
        for number, lane in enumerate(own["lanes"])
        for first, average, count in zip(own["from"], lane["averages"], lane["counts"], strict=True)
    ]
    weeks = orjson.loads(peer.request.send(peer.url).content)["data"]["weeklyAverages"]
    found = [(week["lane"] - 1, week["weekFrom"], week["averagePrice"], int(week["priceCount"])) for week in weeks]
    assert found == expected, f"{peer.name} and {series.name} give different figures"


def _within(runner: Runner, seconds: float) -> Goal:
    shown, limit = f"{runner.p50 * 1e3:.2f} ms", f"{seconds * 1e3:.0f} ms"
    return Goal(runner.name, shown, limit, runner.p50 / seconds, 1, at_least=False)
