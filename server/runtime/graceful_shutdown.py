"""Graceful shutdown of a server: it drains before it stops, so that no request is lost.

A proxy may select a server just before the server is asked to stop, and send a request just after. So the server drains first:
`/readyz` fails at once, while requests are served as before for some seconds. Each response carries `Connection: close`, so
that clients open new connections. Then the server stops accepting connections, completes the requests in progress, and ends
streams in a way that makes clients reconnect.

Ctrl-C skips the drain, because a user waits at the terminal. A process that is replaced by another on the same socket stops
accepting at once, because the other process accepts. It also stays ready, because the server as a whole does. A process whose
supervisor was killed stops without a drain: it would hold the port forever.
"""

import asyncio
import multiprocessing
import signal
import socket
import threading
from dataclasses import dataclass
from types import FrameType

import uvicorn

from server.runtime.accept_balancing import BacklogAcceptor
from server.runtime.http_protocol import LimitedHttpProtocol

REPLACED_SIGNAL = signal.SIGUSR1
"""Signal to a process that another process has replaced."""
POLL_SECONDS = 0.05
ARRIVAL_SECONDS = 0.25
"""Time for the last accepted connections to send their request."""


@dataclass(slots=True)
class DrainState:
    """Drain state of a server, as part of the state of the lifespan."""

    unready: bool = False
    """The readiness probe fails."""
    close_connections: bool = False
    """Each response is the last on its connection."""


class DrainingServer(uvicorn.Server):
    """Server that drains before it stops.

    The drain lasts for `drain_seconds` in the state of the lifespan.
    """

    _skip_drain = _is_replaced = _is_draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server and install the handler of REPLACED_SIGNAL.

        If there is a supervisor, watch it.
        """
        if threading.current_thread() is threading.main_thread():
            signal.signal(REPLACED_SIGNAL, self._on_replaced)
        if (supervisor := multiprocessing.parent_process()) is not None:
            # The sentinel becomes readable when the process ends, however it ends.
            asyncio.get_running_loop().add_reader(supervisor.sentinel, self._on_supervisor_ended, supervisor.sentinel)
        await super().startup(sockets=sockets)
        if self.started:
            acceptor: BacklogAcceptor = self.lifespan.state["backlog_acceptor"]
            acceptor.start(sockets or (), self._create_protocol)

    def _create_protocol(self) -> LimitedHttpProtocol:
        return LimitedHttpProtocol(self.config, self.server_state, self.lifespan.state)

    def _on_supervisor_ended(self, sentinel: int) -> None:
        asyncio.get_running_loop().remove_reader(sentinel)
        self._skip_drain = self.should_exit = True

    def _on_replaced(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_replaced = self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop the server. Ctrl-C during the drain only ends the drain."""
        if sig == signal.SIGINT:
            self._skip_drain = True
            if self._is_draining:
                return
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop."""
        seconds: float = self.lifespan.state["drain_seconds"]
        if seconds > 0 and not self._skip_drain:
            self._is_draining = True
            await self._drain(seconds)
            self._is_draining = False
        self._stop_accepting()
        await super().shutdown(sockets)

    async def _drain(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        drain_state: DrainState = self.lifespan.state["drain_state"]
        drain_state.close_connections, drain_state.unready = True, not self._is_replaced
        if self._is_replaced:
            self._stop_accepting()
        for connection in list(self.server_state.connections):
            # Responses that have not started can still announce the end of their connection.
            if isinstance(connection, LimitedHttpProtocol):
                connection.set_connection_close()
        ends_at = loop.time() + seconds
        while loop.time() < ends_at and not self._skip_drain:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)  # A signal handler must not set an asyncio.Event.
        if not self._is_replaced:
            acceptor: BacklogAcceptor = self.lifespan.state["backlog_acceptor"]
            acceptor.accept_waiting()
            self._stop_accepting()
            await asyncio.sleep(ARRIVAL_SECONDS)

    def _stop_accepting(self) -> None:
        acceptor: BacklogAcceptor = self.lifespan.state["backlog_acceptor"]
        acceptor.stop()
        for server in self.servers:
            server.close()
