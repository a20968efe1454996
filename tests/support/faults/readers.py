"""Load-generating readers that verify every response.

Half of them use persistent connections, the others open one for each request.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.faults.world import QueryCase
from tests.support.waiting import eventually

QUERY = """
query ($from: Date!, $to: Date!, $origin: String!, $destination: String!) {
  averagePrices(dateFrom: $from, dateTo: $to, origin: $origin, destination: $destination) { day averagePrice priceCount }
}
"""
TIMEOUT_SECONDS = 40.0
PAUSE_SECONDS = 0.03
"""Pause between two requests of a reader, so that a dozen readers leave CPU time for the server and the database."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Result of a request.

    `at` is the time of sending (monotonic). `seconds` is the duration, `status` the HTTP status or 0 without a
    response. `problem` describes a failure or a wrong result.
    """

    sent_at: float
    seconds: float
    status: int
    problem: str = ""
    retry_after: str | None = None

    @property
    def is_correct(self) -> bool:
        """Whether the response was correct."""
        return self.status == 200 and not self.problem


@dataclass
class Readings:
    """Results of all readers so far."""

    all: list[Reading] = field(default_factory=list)

    @property
    def incorrect(self) -> list[Reading]:
        """Requests without a correct response."""
        return [reading for reading in self.all if not reading.is_correct]

    def wait_for(self, count: int) -> None:
        """Wait for a number of further responses."""
        count += len(self.all)
        eventually(lambda: len(self.all) >= count, "no request is answered")

    def wait_for_correct(self, count: int) -> None:
        """Wait for a number of further correct responses."""
        before = len(self.all)
        eventually(lambda: sum(one.is_correct for one in self.all[before:]) >= count, "no correct response")

    def between(self, begin: float, end: float) -> list[Reading]:
        """Return the requests sent between two points in time."""
        return [reading for reading in self.all if begin <= reading.sent_at < end]


class _Reader:
    def __init__(self, url: str, cases: list[QueryCase], *, is_persistent: bool) -> None:
        parts = urlsplit(url)
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        self._questions = cases
        self._is_persistent = is_persistent
        self._random = random.Random(1)  # noqa: S311

    def read(self) -> Reading:
        """Send one query and check its response."""
        case = self._random.choice(self._questions)
        began = time.monotonic()
        headers = {"Content-Type": "application/json", "Connection": "keep-alive" if self._is_persistent else "close"}
        body = json.dumps({"query": QUERY, "variables": case.variables})
        try:
            self._http.request("POST", "/graphql", body, headers)
            response = self._http.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._http.close()
            return Reading(began, time.monotonic() - began, 0, repr(error))
        is_right = answer.get("data") == {"averagePrices": case.days}
        problem = "" if is_right else json.dumps(answer)[:300]
        seconds = time.monotonic() - began
        return Reading(began, seconds, response.status, problem, response.getheader("Retry-After"))

    def close(self) -> None:
        self._http.close()


@contextmanager
def reading(url: str, cases: list[QueryCase], *, persistent: int, short_lived: int) -> Iterator[Readings]:
    """Run readers until the end of the block; yield their results."""
    readings, over = Readings(), threading.Event()

    def run_reader(reader: _Reader) -> None:
        while not over.wait(PAUSE_SECONDS):
            readings.all.append(reader.read())
        reader.close()

    readers = [_Reader(url, cases, is_persistent=number < persistent) for number in range(persistent + short_lived)]
    threads = [threading.Thread(target=run_reader, args=[reader]) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield readings
    finally:
        over.set()
        for thread in threads:
            thread.join()
