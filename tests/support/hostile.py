"""Server process under hostile requests, with measurements of its latency and memory."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.fixtures.server import Json
from tests.support.waiting import DEADLINE_SECONDS

MAX_SECONDS = 0.1
"""Limit of the response time and of the event loop's blocking time for hostile requests."""
ATTEMPTS = 25
"""A shared machine may slow single attempts. The check fails only if every attempt is slow."""


@dataclass(frozen=True, slots=True)
class Target:
    """Server process under test."""

    url: str
    pid: int
    http: httpx.Client

    def post(self, content: bytes | Json, **headers: str) -> httpx.Response:
        """Send a raw body, or an object as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.http.post("/graphql", content=body, headers={"Content-Type": "application/json", **headers})

    def memory(self) -> int:
        """Return the resident memory of the process in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4_096


@contextmanager
def probe_liveness(url: str) -> Iterator[list[float]]:
    """Poll the liveness probe repeatedly; yield the list of response times in seconds."""
    waits: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as http:
            while not stop.is_set():
                began = time.perf_counter()
                assert http.get("/livez").status_code == 200
                waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield waits
    finally:
        stop.set()
        thread.join()


def check_quick(target: Target, send: Callable[[], httpx.Response]) -> httpx.Response:
    """Return the response, which must be quick, not 5xx, and not delay other requests."""
    return _repeat_until_quick(target, send, MAX_SECONDS, includes_response=True)


def check_unblocking(target: Target, send: Callable[[], httpx.Response], max_seconds: float) -> httpx.Response:
    """Return the response, which must not be 5xx, nor delay other requests for longer."""
    return _repeat_until_quick(target, send, max_seconds, includes_response=False)


def _repeat_until_quick(
    target: Target, send: Callable[[], httpx.Response], max_seconds: float, *, includes_response: bool
) -> httpx.Response:
    longest = []
    for _ in range(ATTEMPTS):
        with probe_liveness(target.url) as waits:
            began = time.perf_counter()
            response = send()
            if includes_response:
                waits.append(time.perf_counter() - began)
        assert response.status_code < 500, response.text
        longest.append(max(waits))
        if longest[-1] < max_seconds:
            return response
    raise AssertionError(f"the longest response times, in seconds, of {ATTEMPTS} attempts: {longest}")


def error_codes(response: httpx.Response) -> set[str]:
    """Return the codes of all errors of a response, each of which must have one."""
    found = {error["extensions"]["code"] for error in response.json().get("errors", ())}
    assert "INTERNAL_ERROR" not in found, response.text
    return found
