"""Ratesgraph over HTTP without peers: tail latency, lanes per request, data size, memory."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.data.world import ORIGINS, port
from bench.http.load import Request, Runner, check_equal_responses, measure_interleaved
from bench.http.queries import PATH, create_bodies, create_body, create_lanes_body
from bench.http.servers import Server, ratesgraph
from bench.http.targets import Goal, World, compare_latencies, print_loads
from bench.http.throughput import MONTH, ROOT_TO_ROOT
from bench.reads.averages import LANES
from bench.scale import Scale

PACED_CONNECTIONS = 64
"""Clients that pause between requests: enough that waiting clients do not throttle the others."""
PACE = 0.8
MANY_LANES = 50
REQUESTS = 100_000
DISTINCT_QUERIES = 200
"""Distinct queries of the memory measurement."""
MEMORY_LIMIT_MB = 120
GROWTH_LIMIT = 1.05
SIZE_LIMIT = 1.3
TAIL_LIMIT, LANES_LIMIT = 4, 6


def measure_tail(console: Console, servers: Sequence[Server], world: World, scale: Scale) -> list[Goal]:
    """Measure the tail latency of uncached responses at 80 % of the full load."""
    request = Request(PATH, create_bodies(ROOT_TO_ROOT, world.period(MONTH)))
    goals, loads = [], {}
    for server in servers:
        full, paced = Runner("full load", server.url, request), Runner("80 %", server.url, request)
        ratios = []
        for _ in range(scale.rounds):
            load = full.measure(scale.seconds)
            full.loads.append(load)
            # A client returns after its pause and the response, which needs about half the time of a response under full load.
            pause = max(PACED_CONNECTIONS / (PACE * load.rate) - load.p50 / 2, 0.001)
            slow = replace(paced, connections=PACED_CONNECTIONS, pause=pause).measure(scale.seconds * 2)
            paced.loads.append(slow)
            ratios.append(slow.p99 / slow.p50)
        name = f"p99 vs p50 at {paced.rate / full.rate:.0%} of full load, {server.name}"
        slowest, middle = (f"{seconds * 1e3:.1f} ms" for seconds in (paced.p99, paced.p50))
        goals.append(Goal(name, slowest, middle, median(ratios), TAIL_LIMIT, at_least=False))
        loads[server.name] = [full, paced]
    print_loads(console, f"Full load and paced load, uncached, root → root, {MONTH} days", loads)
    return goals


def measure_lanes(server: Server, world: World, scale: Scale) -> list[Goal]:
    """Compare one request for many lanes with a request for one lane, uncached."""
    days = world.period(MONTH)
    lanes = [(port(number), port(ORIGINS + number)) for number in range(MANY_LANES)]
    many, one = (
        Runner(f"{len(part)} lanes", server.url, Request(PATH, [create_lanes_body(part, days)]), connections=1)
        for part in (lanes, lanes[:1])
    )
    for runner in (many, one):
        check_equal_responses([runner])
    measure_interleaved([many, one], scale)
    return [compare_latencies(f"one request with {MANY_LANES} lanes vs 1 lane, uncached", many, one, LANES_LIMIT)]


def measure_size(server: Server, small: World, large: World, scale: Scale) -> list[Goal]:
    """Measure uncached requests by the size of the locations and of the history.

    `server` serves the large world.
    """
    root, ports = "root → root", "port → port"
    runners = {}
    with ratesgraph(small.url, processes=1, cache_bytes=0) as other:
        for world, url in ((small, other.url), (large, server.url)):
            for lane in (root, ports):
                request = Request(PATH, [create_body(LANES[lane], world.period(MONTH))])
                runners[world, lane] = Runner(lane, url, request, connections=1)
        for runner in runners.values():
            check_equal_responses([runner])
        measure_interleaved([*runners.values()], scale)
    goals = []
    for world in (small, large):
        name = f"{root} vs {ports}, {world.name}"
        goals.append(compare_latencies(name, runners[world, root], runners[world, ports], SIZE_LIMIT))
    for lane in (root, ports):
        name = f"{large.name} vs {small.name}, {lane}"
        goals.append(compare_latencies(name, runners[large, lane], runners[small, lane], SIZE_LIMIT))
    return goals


def measure_memory(
    console: Console, servers: Sequence[Server], idle: Sequence[float], world: World, scale: Scale
) -> list[Goal]:
    """Measure the resident memory of uncached and cached server processes after many requests.

    `idle` holds their memory before the first request.
    """
    request = Request(PATH, create_bodies(ROOT_TO_ROOT, world.period(MONTH), DISTINCT_QUERIES))
    requests = scale.size(REQUESTS)
    table = Table(
        "server", "idle", "after warm-up", f"after {requests:,} more", title="Resident MB of a server process"
    )
    goals = []
    for name, server, before in zip(("uncached", "cached"), servers, idle, strict=True):
        runner = Runner(name, server.url, request)
        runner.measure(scale.seconds)
        warm, done = resident_mb(server), 0
        while done < requests:
            done += runner.measure(scale.seconds).requests
        after = resident_mb(server)
        table.add_row(name, *(f"{size:.0f}" for size in (before, warm, after)))
        shown, limit = f"{before:.0f} MB", f"{MEMORY_LIMIT_MB} MB"
        goals.append(Goal(f"resident, idle, {name}", shown, limit, before / MEMORY_LIMIT_MB, 1, at_least=False))
        title, shown, base = f"resident after {requests:,} requests, {name}", f"{after:.0f} MB", f"{warm:.0f} MB"
        goals.append(Goal(title, shown, base, after / warm, GROWTH_LIMIT, at_least=False))
    console.print(table)
    return goals


def resident_mb(server: Server) -> float:
    """Return the resident memory of the server's main process, in MB."""
    command = ["ps", "-o", "rss=", "-p", str(server.pid)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024 / 1e6
