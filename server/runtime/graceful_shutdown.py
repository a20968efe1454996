"""How a server leaves without losing a request.

Between the moment in which a proxy looks up who can be asked and that in which its request arrives, a server may have been
told to stop. So it lingers: `/readyz` fails at once, everything is answered as before for a while, each time with `Connection:
close`, and whoever uses a connection learns to make a new one. Only then nobody is let in any more, what is under way is
finished, and streams are told to connect again.

Ctrl-C is for somebody who waits at a terminal, and skips that. A process that is replaced by another on the same socket lets
nobody in at once, for the other does, and stays ready as far as anybody can tell.
"""

import asyncio
import signal
import socket
import threading
from dataclasses import dataclass
from types import FrameType

import uvicorn

from server.runtime.http_protocol import LimitedHttpProtocol

REPLACED_SIGNAL = signal.SIGUSR1
"""Tells a process that another one has taken its place."""
POLL_SECONDS = 0.05
ARRIVAL_SECONDS = 0.25
"""What was let in last has this long to say what it wants."""


@dataclass(slots=True)
class DrainState:
    """How far a server is on its way out; a part of the lifespan's state."""

    unready: bool = False
    """It is not to be asked any more."""
    close_connections: bool = False
    """Every answer is the last on its connection."""


class DrainingServer(uvicorn.Server):
    """A server that lingers when it is told to stop. The lifespan's state has `linger_seconds` and `leaving`."""

    _is_hurried = _is_replaced = _is_lingering = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and be replaceable."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(REPLACED_SIGNAL, self._replace)
        await super().startup(sockets=sockets)

    def _replace(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_replaced = self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; Ctrl-C during the linger ends that, and forces nothing yet."""
        if sig == signal.SIGINT:
            self._is_hurried = True
            if self._is_lingering:
                return
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Linger, then stop."""
        seconds: float = self.lifespan.state["drain_seconds"]
        if seconds > 0 and not self._is_hurried:
            self._is_lingering = True
            await self._drain(seconds)
            self._is_lingering = False
        await super().shutdown(sockets)

    async def _drain(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        leaving: DrainState = self.lifespan.state["drain_state"]
        leaving.close_connections, leaving.unready = True, not self._is_replaced
        if self._is_replaced:
            self._stop_accepting()
        for connection in list(self.server_state.connections):
            # What is being answered can still say that it is the last answer.
            if isinstance(connection, LimitedHttpProtocol):
                connection.set_connection_close()
        until = loop.time() + seconds
        while loop.time() < until and not self._is_hurried:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)  # A handler of signals may set no event of the loop.
        if not self._is_replaced:
            self._stop_accepting()
            await asyncio.sleep(ARRIVAL_SECONDS)

    def _stop_accepting(self) -> None:
        for server in self.servers:
            server.close()
