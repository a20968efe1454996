"""A server process as a stranger finds it, and what watches it while it is sent the worst."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.fixtures.server import Json

MAX_SECONDS = 0.1
"""How long an answer may take, and how long the event loop may be kept, where nothing legitimate takes longer."""
ATTEMPTS = 5
"""On a shared machine an attempt may be slow by chance; what is slow each time is slow."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server to send things to."""

    url: str
    pid: int
    http: httpx.Client

    def post(self, content: bytes | Json, **headers: str) -> httpx.Response:
        """Send a body as it is, or an object as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.http.post("/graphql", content=body, headers={"Content-Type": "application/json", **headers})

    def memory(self) -> int:
        """Return the bytes that the process holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4_096


@contextmanager
def probe_liveness(url: str) -> Iterator[list[float]]:
    """Ask whether the server lives again and again; yield the seconds that each answer took."""
    waits: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=30) as http:
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
    """Return the answer, which is no 5xx, was there at once, and has not kept others waiting."""
    longest = []
    for _ in range(ATTEMPTS):
        with probe_liveness(target.url) as waits:
            began = time.perf_counter()
            response = send()
            waits.append(time.perf_counter() - began)
        assert response.status_code < 500, response.text
        longest.append(max(waits))
        if longest[-1] < MAX_SECONDS:
            return response
    raise AssertionError(f"the longest waits, in seconds, of {ATTEMPTS} attempts: {longest}")


def codes(response: httpx.Response) -> set[str]:
    """Return the codes of all errors of an answer: each has one."""
    found = {error["extensions"]["code"] for error in response.json().get("errors", ())}
    assert "INTERNAL_ERROR" not in found, response.text
    return found
