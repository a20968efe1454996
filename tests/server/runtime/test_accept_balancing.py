"""Accept balancing: the processes of a server share simultaneous connections."""

import asyncio
import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server.runtime import accept_balancing
from server.runtime.accept_balancing import (
    MAX_ACCEPTS,
    SLOW_ITERATION_SECONDS,
    WINDOW_SECONDS,
    AcceptYielder,
    BacklogAcceptor,
)
from tests.support.commands.processes import open_files
from tests.support.fixtures.server import running_server
from tests.support.http.metrics import SETTINGS, find, scrape
from tests.support.http.server_process import serving
from tests.support.waiting import eventually

TOGETHER, ROUNDS = 64, 4
ESTABLISHED = "01"


def count_connections(process: subprocess.Popen[str], port: int) -> Counter[str]:
    """Return the number of client connections of each process, read from proc(5)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == ESTABLISHED}
    counts: Counter[str] = Counter()
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        counts[child] = len(sockets & open_files(int(child)))
    return +counts


def test_accept_balancing_spreads_simultaneous_connections_over_processes(database_url: str) -> None:
    with serving(database_url, "--workers", "2", settings=SETTINGS) as (process, url):
        eventually(lambda: find(scrape(url), "ratesgraph_processes") == 2, "fewer than two processes serve")
        port = urlsplit(url).port
        assert port is not None
        shares: Counter[str] = Counter()
        for _ in range(ROUNDS):
            with ExitStack() as stack:
                clients = [stack.enter_context(socket.socket()) for _ in range(TOGETHER)]
                for client in clients:
                    client.setblocking(False)
                for client in clients:
                    client.connect_ex(("127.0.0.1", port))
                # Polling would occupy a core and distort the balance between the processes.
                time.sleep(0.3)
                eventually(
                    lambda: count_connections(process, port).total() == TOGETHER, "not all connections are accepted"
                )
                shares += count_connections(process, port)
            eventually(lambda: not count_connections(process, port), "not all connections are closed")
        assert len(shares) == 2, shares
        # The smaller share is about two fifths. Without balancing it was between one fifth and two fifths.
        assert min(shares.values()) > shares.total() / 4, shares


def test_accept_balancing_runs_for_every_accepted_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[int] = []
    monkeypatch.setattr(
        AcceptYielder, "yield_after_accept", lambda _yielder, connections, _now: accepted.append(connections)
    )
    with running_server(database_url) as client, ExitStack() as stack:
        before = len(accepted)
        for _ in range(3):
            stack.enter_context(socket.create_connection((client.http.base_url.host, client.http.base_url.port or 0)))
        eventually(lambda: len(accepted) == before + 3, "not all connections are accepted")
        assert accepted[-3:] == [accepted[-3] + more for more in range(3)]


def test_accept_balancing_yields_only_while_the_connection_count_grows() -> None:
    yielder = AcceptYielder(processes=2)
    assert [yielder.yield_after_accept(count, 10.0) for count in (1, 2, 3, 3, 2, 3, 4)] == [
        True,
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    # Counts from an earlier window are ignored.
    assert [yielder.yield_after_accept(count, 10.1 + WINDOW_SECONDS) for count in (2, 2, 3)] == [True, False, True]


def test_accept_balancing_does_not_yield_in_a_single_process() -> None:
    assert not AcceptYielder(processes=1).yield_after_accept(1, 10.0)


@pytest.mark.anyio
@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 0), (2 * SLOW_ITERATION_SECONDS, 10)])
async def test_backlog_acceptor_accepts_all_waiting_connections_after_a_slow_iteration(
    monkeypatch: pytest.MonkeyPatch, seconds: float, expected: int
) -> None:
    assert expected < MAX_ACCEPTS
    if seconds == 0:
        # On a busy machine any iteration may be slow.
        monkeypatch.setattr(accept_balancing, "SLOW_ITERATION_SECONDS", 60.0)
    accepted: list[asyncio.Protocol] = []

    def create_protocol() -> asyncio.Protocol:
        accepted.append(asyncio.Protocol())
        return accepted[-1]

    acceptor, loop = BacklogAcceptor(), asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as opened:
        listening.setblocking(False)
        acceptor.start([listening], create_protocol)
        for _ in range(10):
            opened.enter_context(socket.create_connection(listening.getsockname()))
        acceptor.check_after_accept(loop.time())
        time.sleep(seconds)  # noqa: ASYNC251
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(accepted) == expected
        acceptor.stop()
        acceptor.check_after_accept(loop.time() - 1)
        opened.enter_context(socket.create_connection(listening.getsockname()))
        await asyncio.sleep(0)
        assert len(accepted) == expected
