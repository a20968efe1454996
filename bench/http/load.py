"""HTTP load generator: runs wrk, which needs the least CPU time, and parses its figures."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import orjson

from bench.scale import QUICK, Scale

SCRIPT = Path(__file__).parents[1] / "peers" / "load.lua"
WRK_MISSING = "wrk is not installed (`apt install wrk`, `brew install wrk`): HTTP is not measured."
CONNECTIONS = 16
"""Concurrent requests: enough to saturate every process and the database."""
TIMEOUT_SECONDS = 10
WARM_UP_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """Request that wrk repeats: a POST that cycles through the bodies, or a GET without bodies."""

    path: str
    bodies: Sequence[bytes] = ()
    if_none_match: str | None = None

    def send(self, url: str) -> httpx.Response:
        """Send the first request once."""
        if self.bodies:
            return httpx.post(url + self.path, content=self.bodies[0], headers={"Content-Type": "application/json"})
        headers = {"Accept": "application/json"} | ({"If-None-Match": self.if_none_match} if self.if_none_match else {})
        return httpx.get(url + self.path, headers=headers)


@dataclass(frozen=True, slots=True)
class Load:
    """Result of a round: completed requests, requests per second, median and p99 in seconds."""

    requests: int
    rate: float
    p50: float
    p99: float


@dataclass(slots=True)
class Runner:
    """Measured server: its URL, its request and the results of the rounds.

    Each response must have at least `response_bytes`.
    """

    name: str
    url: str
    request: Request
    connections: int = CONNECTIONS
    pause: float = 0.0
    response_bytes: int = 0
    loads: list[Load] = field(default_factory=list)

    def measure(self, seconds: int) -> Load:
        """Put the server under load for some seconds. Raise AssertionError when a request fails."""
        options = ["-t1", f"-c{self.connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
        with tempfile.NamedTemporaryFile() as bodies:
            bodies.write(b"\n".join(self.request.bodies))
            bodies.flush()
            script = [
                "POST" if self.request.bodies else "GET",
                bodies.name if self.request.bodies else "-",
                self.request.if_none_match or "-",
                f"{self.pause * 1e3:.3f}",
            ]
            command = ["wrk", *options, "--script", str(SCRIPT), self.url + self.request.path, "--", *script]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        figures = next(line for line in output.splitlines() if line.startswith("figures"))
        requests, microseconds, received, p50, p99, failed = map(int, figures.split()[1:])
        assert requests, f"{self.name} sent no response in {seconds} s"
        assert not failed, f"{self.name}: {failed} of {requests} requests failed"
        # Error responses are short and fast: they must not improve a result.
        assert received >= requests * self.response_bytes, f"{self.name} sends shorter responses under load"
        return Load(requests, requests / microseconds * 1e6, p50 / 1e6, p99 / 1e6)

    @property
    def rate(self) -> float:
        """Return the requests per second, the median of the rounds."""
        return median(load.rate for load in self.loads)

    @property
    def p50(self) -> float:
        """Return the median latency in seconds, the median of the rounds."""
        return median(load.p50 for load in self.loads)

    @property
    def p99(self) -> float:
        """Return the 99th percentile of the latency in seconds, the median of the rounds."""
        return median(load.p99 for load in self.loads)


def has_wrk() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def measure_interleaved(runners: Sequence[Runner], scale: Scale) -> None:
    """Measure all runners in several rounds with rotating order, so that all see the same noise."""
    if scale is not QUICK:
        for runner in runners:
            runner.measure(WARM_UP_SECONDS)
    for number in range(scale.rounds):
        first = number % len(runners)
        for runner in [*runners[first:], *runners[:first]]:
            runner.loads.append(runner.measure(scale.seconds))


def check_equal_responses(runners: Sequence[Runner]) -> None:
    """Raise AssertionError unless all give the same response without errors.

    The order of its fields may differ.
    """
    expected: object = None
    for runner in runners:
        response = runner.request.send(runner.url)
        assert response.status_code == 200, f"{runner.name}: {response.status_code} {response.text[:500]}"
        body = orjson.loads(response.content)
        assert not body.get("errors"), f"{runner.name}: {response.text[:500]}"
        expected = expected or body
        assert body == expected, f"{runner.name} and {runners[0].name} give different responses: {response.text[:500]}"
        runner.response_bytes = len(response.content)
