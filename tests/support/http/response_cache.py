"""Requests that read and change data, and the cache status of their responses."""

import time
from collections.abc import Callable

import httpx

DEADLINE_SECONDS = 10


REVERT = "mutation ($id: ID!) { revertBatch(id: $id) { batch { status } } }"


MOVE = 'mutation { moveLocation(key: "NLRTM", parentSlug: "china") { userErrors { code } } }'


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread or process does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def how(response: httpx.Response) -> str:
    """Return what the cache says of itself."""
    return str(response.headers["cache-status"])
