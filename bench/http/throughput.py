"""Throughput compared with peers: over totals, with recursive SQL, and a bare ASGI app."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench.data.world import ROOT
from bench.http.load import Request, Runner, check_equal_responses, measure_interleaved
from bench.http.queries import PATH, Places, create_bodies, create_body, create_query_string
from bench.http.servers import CORES, PROCESSES, Server, bare, mercurius, postgraphile, ratesgraph, stock_strawberry
from bench.http.targets import Goal, World, compare_rates, print_loads
from bench.reads.averages import LANES
from bench.scale import Scale
from domain.prices import DateRange

ROOT_TO_ROOT = (ROOT, ROOT)
MONTH, YEAR = 31, 365
CACHE_BYTES = 64_000_000


def measure_totals(
    console: Console, candidates: Sequence[Server], world: World, scale: Scale, *, with_peers: bool
) -> list[Goal]:
    """Compare uncached averages of the whole world with PostGraphile over the same totals."""
    targets = {MONTH: 2.0, YEAR: 3.0}
    with ExitStack() as stack:
        counts = PROCESSES if with_peers else []
        peers = [stack.enter_context(postgraphile(world.url, "by_totals", processes=count)) for count in counts]
        loads = {days: _measure([*candidates, *peers], ROOT_TO_ROOT, world.period(days), scale) for days in targets}
    title = f"Uncached, {world.name}, compared with a peer over the same totals"
    print_loads(console, title, {f"root → root, {days} days": runners for days, runners in loads.items()})
    return [
        compare_rates(
            f"uncached, root → root, {days} days",
            runners[: len(candidates)],
            runners[len(candidates) :],
            at_least=targets[days],
        )
        for days, runners in loads.items()
        if peers
    ]


def measure_recursion(console: Console, world: World, scale: Scale, *, with_peers: bool) -> list[Goal]:
    """Compare uncached averages of a month with peers that use recursive SQL."""
    days = world.period(MONTH)
    targets = {"port → region": 10.0, "region → region": 25.0, "root → root": 25.0}
    with ExitStack() as stack:
        candidates = [stack.enter_context(ratesgraph(world.url, processes=count, cache_bytes=0)) for count in PROCESSES]
        counts = PROCESSES if with_peers else []
        joins = [stack.enter_context(postgraphile(world.url, "by_join", processes=count)) for count in counts]
        arrays = [stack.enter_context(postgraphile(world.url, "by_arrays", processes=count)) for count in counts]
        if with_peers:
            arrays.append(stack.enter_context(mercurius(world.url, "by_arrays", processes=CORES)))
        arrays.append(stack.enter_context(stock_strawberry(world.url, "by_arrays", processes=CORES)))
        loads = {name: _measure([*candidates, *joins, *arrays], LANES[name], days, scale) for name in targets}
    print_loads(console, f"Uncached, {world.name}, {MONTH} days, compared with peers with recursive SQL", loads)
    first, last = len(candidates), len(candidates) + len(joins)
    return [
        compare_rates(f"uncached, {name}, {MONTH} days, {world.name}", runners[:first], peers, at_least=targets[name])
        for name, runners in loads.items()
        for peers in (runners[first:last], runners[last:])
        if peers
    ]


def measure_cached(console: Console, candidates: Sequence[Server], world: World, scale: Scale) -> list[Goal]:
    """Compare cached responses and 304 Not Modified with an ASGI app that sends fixed bytes."""
    goals, loads = [], {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        bodies = {days: create_body(ROOT_TO_ROOT, world.period(days)) for days in (MONTH, YEAR)}
        for days, body in bodies.items():
            (folder / str(days)).write_bytes(Request(PATH, [body]).send(candidates[0].url).content)
        limits = [stack.enter_context(bare(folder, processes=count)) for count in PROCESSES]
        for days, body in bodies.items():
            runners = [Runner(server.name, server.url, Request(PATH, [body])) for server in candidates]
            runners += [Runner(server.name, server.url, Request(f"/{days}", [body])) for server in limits]
            check_equal_responses(runners)
            loads[f"POST, {days} days"] = runners
            goals += _measure_pairs(f"cached, {days} days, POST", runners, scale, at_least=0.5)
        address = create_query_string(ROOT_TO_ROOT, world.period(MONTH))
        tag = Request(f"{PATH}?{address}").send(candidates[0].url).headers["etag"]
        runners = [Runner(server.name, server.url, Request(f"{PATH}?{address}", (), tag)) for server in candidates]
        runners += [Runner(server.name, server.url, Request(f"/{MONTH}?{address}", (), tag)) for server in limits]
        for runner in runners:
            assert runner.request.send(runner.url).status_code == 304, f"{runner.name} does not return 304"
        loads["GET, If-None-Match"] = runners
        goals += _measure_pairs("304 by If-None-Match, GET", runners, scale, at_least=0.6)
    print_loads(console, "Cached responses, compared with a bare ASGI application", loads)
    return goals


def _measure_pairs(name: str, runners: Sequence[Runner], scale: Scale, *, at_least: float) -> list[Goal]:
    """Measure all runners and compare the halves, Ratesgraph and its peers, pair by pair."""
    measure_interleaved(runners, scale)
    half = len(runners) // 2
    pairs = zip(runners[:half], runners[half:], strict=True)
    return [compare_rates(name, [candidate], [peer], at_least=at_least) for candidate, peer in pairs]


def _measure(servers: Sequence[Server], places: Places, days: DateRange, scale: Scale) -> list[Runner]:
    """Check that all servers give the same response to the same request, then measure them."""
    request = Request(PATH, create_bodies(places, days))
    runners = [Runner(server.name, server.url, request) for server in servers]
    check_equal_responses(runners)
    measure_interleaved(runners, scale)
    return runners
