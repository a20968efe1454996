"""The application behind real HTTP: uvicorn on a free port, in a thread of its own."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from ingest.worker import work
from server.app import create_app
from server.connections import connection_options
from server.settings import Settings

Json = dict[str, Any]
JSON = {"Accept": "application/json"}
"""What a client says that asks by GET."""
UNREACHED = {"rate_limit": "1000000/minute", "token_rate_limit": "1000000/minute"}
"""Tests ask faster than anybody should. So requests are counted, as always, and refused where a test says so."""


class Client:
    """Asks a running server over HTTP."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def post(self, query: str, variables: Json | None = None) -> Json:
        """Return the whole answer."""
        answer: Json = self.http.post("/graphql", json={"query": query, "variables": variables or {}}).json()
        return answer

    def ask(self, query: str, **variables: object) -> Json:
        """Return the data of an answer without errors."""
        answer = self.post(query, variables)
        assert "errors" not in answer, answer["errors"]
        data: Json = answer["data"]
        return data

    def fail(self, query: str, **variables: object) -> Json:
        """Return the only error of an answer."""
        answer = self.post(query, variables)
        (error,) = answer["errors"]
        failure: Json = error
        return failure


@contextmanager
def running_server(database_url: str, *, writes_are_open: bool = True, **settings: object) -> Iterator[Client]:
    """Serve the database and yield a client of the server."""
    chosen = Settings().model_copy(update={**UNREACHED, **settings})
    app = create_app(chosen, database_url, writes_are_open=writes_are_open)
    options = connection_options(chosen.trusted_proxies)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", **options))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        deadline = time.monotonic() + 15
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.01)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=30, headers=JSON) as http:
                yield Client(http)
        finally:
            server.should_exit = True
            thread.join(timeout=15)
            assert not thread.is_alive(), "the server did not stop"


@contextmanager
def running_worker(database_url: str, concurrency: int = 1) -> Iterator[None]:
    """Apply batches of the database in a thread of its own."""
    stop, loop = asyncio.Event(), asyncio.new_event_loop()

    def run() -> None:
        loop.run_until_complete(work(database_url, stop, concurrency=concurrency))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=30)
        assert not thread.is_alive(), "the worker did not stop"


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A client of a server of the test's own, with an empty database."""
    with running_server(database_url) as client:
        yield client
