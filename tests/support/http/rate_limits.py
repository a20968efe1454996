"""Servers with rate limits, and the statuses that callers receive."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.fixtures.server import Client, running_server
from tests.support.tokens import authorization_header

READ = "{ locations { totalCount } }"


LIMIT, TOKEN_LIMIT = 5, 8


PROXY = "127.0.0.1"


@contextmanager
def open_limited_server(database_url: str, **settings: object) -> Iterator[Client]:
    """Run a server with a limit of five anonymous requests per day and eight per token."""
    chosen = {"rate_limit": f"{LIMIT}/day", "token_rate_limit": f"{TOKEN_LIMIT}/day", "trusted_proxies": PROXY}
    with running_server(database_url, writes_are_open=False, **{**chosen, **settings}) as client:
        yield client


def send_query(client: Client, address: str = "203.0.113.1", token: str | None = None) -> httpx.Response:
    """Send a query from an address."""
    return client.http.post("/graphql", json={"query": READ}, headers=forwarded_headers(address, token))


def exhaust_window(client: Client, seconds: int, token: str | None = None) -> None:
    """Send queries of a caller until two thirds of a window pass before the next is allowed."""
    while True:
        response = client.http.post("/graphql", json={"query": READ}, headers=authorization_header(token))
        wait = int(response.headers.get("Retry-After", 0))
        if wait >= seconds * 2 / 3:
            return
        time.sleep(wait)


def forwarded_headers(address: str, token: str | None = None) -> dict[str, str]:
    """Return the headers of a request that a proxy forwards."""
    return {"X-Forwarded-For": address, **authorization_header(token)}


def statuses(client: Client, count: int, address: str = "203.0.113.1", token: str | None = None) -> list[int]:
    """Send the number of queries and return their statuses."""
    return [send_query(client, address, token).status_code for _ in range(count)]
