"""`bench uploads`: uploads through real processes.

Measures latency, the delay of other requests to a busy server, the scaling of workers, and recovery.
"""

import os
import signal
import threading
import time
from contextlib import ExitStack
from datetime import date
from statistics import median
from typing import Any

import httpx
import orjson
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from bench.data.database import open_world, uploader_headers
from bench.data.world import SEED, Shape, make_csv
from bench.processes import running_server, running_workers
from bench.scale import Scale
from bench.uploads.file_uploads import bench_file_uploads

DATABASE = "bench_uploads"
ITEMS, BATCHES, LARGE_ITEMS = 10_000, 20, 100_000
WAIT_MS = 30_000
FIRST_DAY = date(2025, 6, 1)
UPLOAD = "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { id status } } }"
WAITING = "{ queued: batches(status: QUEUED) { totalCount } running: batches(status: RUNNING) { totalCount } }"
ATTEMPTS = "query ($id: ID!) { batch(id: $id) { status attempts } }"


async def bench_uploads(console: Console, server_url: str, scale: Scale) -> None:
    """Measure uploads by mutation end to end, with a server and workers as real processes."""
    async with open_world(server_url, DATABASE) as connection:
        environment = {**os.environ, "DATABASE_URL": make_conninfo(server_url, dbname=DATABASE)}
        with (
            console.status("uploads"),
            running_server(environment) as url,
            httpx.Client(base_url=url, headers=await uploader_headers(connection), timeout=120) as http,
        ):
            with running_workers(environment, 1):
                latency = _measure_latency(http, url, scale)
            by_workers = {count: _measure_workers(http, environment, count, scale) for count in (1, 2, 4)}
            recovery = _measure_recovery(http, environment, scale)
    table = Table("measurement", "result", "goal", title="Uploads by mutation, real processes", title_justify="left")
    items = scale.size(ITEMS)
    table.add_row(
        f"{items:,} items, from request to applied, median of {scale.rounds + 2}", f"{latency[0]:.2f} s", "1.2 s"
    )
    table.add_row("slowest /livez response meanwhile", f"{latency[1] * 1e3:.0f} ms", "60 ms")
    table.add_row("slowest /livez response of an idle server", f"{latency[2] * 1e3:.0f} ms", "")
    for count, seconds in by_workers.items():
        table.add_row(f"{BATCHES} batches of {items:,} items, {count} workers", f"{seconds:.1f} s", "")
    table.add_row("from SIGKILL of a worker to the next attempt at its batch", f"{recovery:.1f} s", "5 s")
    console.print(table)
    await bench_file_uploads(console, server_url, scale)


def _body(items: int, seed: int, wait_ms: int) -> bytes:
    """Return the request body of an upload of one-day items."""
    header, *lines = make_csv(Shape(items, 1, FIRST_DAY, 30), seed=seed).decode().splitlines()
    names = {"origin_code": "origin", "destination_code": "destination", "day": "dateFrom"}
    keys = [names.get(name, name) for name in header.split(",")]
    prices = [dict(zip(keys, line.split(","), strict=True)) for line in lines]
    return orjson.dumps({"query": UPLOAD, "variables": {"input": {"prices": prices, "waitMs": wait_ms}}})


def _send(http: httpx.Client, body: bytes) -> dict[str, Any]:
    response = http.post("/graphql", content=body, headers={"Content-Type": "application/json"}).json()
    assert "errors" not in response, response["errors"][0]
    batch: dict[str, Any] = response["data"]["uploadPrices"]["batch"]
    return batch


def _query(http: httpx.Client, query: str, **variables: object) -> dict[str, Any]:
    data: dict[str, Any] = http.post("/graphql", json={"query": query, "variables": variables}).json()["data"]
    return data


def _get_state(http: httpx.Client, batch: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = _query(http, ATTEMPTS, id=batch["id"])["batch"]
    return state


def _slowest_response(url: str, stop: threading.Event) -> float:
    longest = 0.0
    with httpx.Client(base_url=url) as http:
        while not stop.is_set():
            start = time.perf_counter()
            http.get("/livez")
            longest = max(longest, time.perf_counter() - start)
    return longest


def _measure_latency(http: httpx.Client, url: str, scale: Scale) -> tuple[float, float, float]:
    """Return the median latency of an upload, and the slowest other response meanwhile and idle."""
    bodies = [_body(scale.size(ITEMS), SEED + number, WAIT_MS) for number in range(scale.rounds + 3)]
    _send(http, bodies.pop())
    times, stop, longest = list[float](), threading.Event(), list[float]()
    watcher = threading.Thread(target=lambda: longest.append(_slowest_response(url, stop)))
    watcher.start()
    for body in bodies:
        start = time.perf_counter()
        assert _send(http, body)["status"] == "APPLIED"
        times.append(time.perf_counter() - start)
    stop.set()
    watcher.join()
    rest = threading.Event()
    threading.Timer(2, rest.set).start()
    return median(times), longest[0], _slowest_response(url, rest)


def _measure_workers(http: httpx.Client, environment: dict[str, str], count: int, scale: Scale) -> float:
    """Return the seconds that `count` workers need for a queue of batches."""
    for number in range(BATCHES):
        _send(http, _body(scale.size(ITEMS), SEED + number, 0))
    with running_workers(environment, count):
        # The start of the processes does not count: the clock starts with the first batch.
        while not _query(http, WAITING)["running"]["totalCount"]:
            time.sleep(0.01)
        start = time.perf_counter()
        while any(part["totalCount"] for part in _query(http, WAITING).values()):
            time.sleep(0.05)
        return time.perf_counter() - start


def _measure_recovery(http: httpx.Client, environment: dict[str, str], scale: Scale) -> float:
    """Return the seconds until a standby worker retries the batch of a killed worker."""
    with ExitStack() as stack:
        (first,) = stack.enter_context(running_workers(environment, 1))
        batch = _send(http, _body(scale.size(LARGE_ITEMS), SEED, 0))
        while _get_state(http, batch)["attempts"] == 0:
            time.sleep(0.005)
        stack.enter_context(running_workers(environment, 1))
        first.send_signal(signal.SIGKILL)
        start = time.perf_counter()
        while (state := _get_state(http, batch))["attempts"] < 2 and state["status"] == "RUNNING":
            time.sleep(0.01)
        waited = time.perf_counter() - start
        while _get_state(http, batch)["status"] != "APPLIED":
            time.sleep(0.05)
        return waited
