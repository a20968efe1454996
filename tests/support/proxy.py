"""A way to a server that can break in every way: what a network, a restart or a slow line does to both sides of it."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK_BYTES = 65_536
POLL_SECONDS = 0.02
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without a time: closing sends a reset, and what was still on its way is lost."""
Server = int | Path
"""A local port, or a unix socket."""


class _Link:
    """A connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.is_closed = self.is_reset = False
        self.is_dead = False
        """Nothing passes any more, and nobody is told."""
        self.passed = 0

    def shut(self) -> None:
        """End it for both sides, in good order."""
        self.is_closed = True
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of both sides."""
        for sock in (self.client, self.server):
            if self.is_reset:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()


class Proxy:
    """Passes bytes on to a server, if there is one."""

    def __init__(self, listener: socket.socket, server: Server) -> None:
        self._listener = listener
        self._lines: list[_Link] = []
        self.server: Server | None = server
        """None: connections are closed at once."""
        self.stall_after: int | None = None
        """After so many bytes of a connection nothing more is passed on to the server."""
        self.stalled = threading.Event()
        self.latency = 0.0
        """Seconds that each piece takes on its way, in both directions."""
        self.is_stuck = False
        """While it is, nothing passes on any connection, new ones too."""
        self.slow_close = 0.0
        """Seconds for which the end of one side is kept from the other."""

    @property
    def port(self) -> int:
        """The port to connect to."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"http://127.0.0.1:{self.port}/graphql"

    def cut(self) -> None:
        """Close every connection."""
        for line in list(self._lines):
            line.shut()

    def reset(self) -> None:
        """Break every connection off by a reset."""
        for line in list(self._lines):
            line.is_reset = True

    def half_open(self) -> None:
        """Have every connection go silent for good; new ones work."""
        for line in list(self._lines):
            line.is_dead = True

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    line = _Link(client, self._connect())
                except OSError:
                    client.close()
                    continue
                self._lines.append(line)
                threading.Thread(target=self._pass_on, args=[line], daemon=True).start()

    def _connect(self) -> socket.socket:
        if self.server is None:
            raise ConnectionRefusedError
        if isinstance(self.server, int):
            return socket.create_connection(("127.0.0.1", self.server))
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.server))
        return sock

    def _pass_on(self, line: _Link) -> None:
        ends = {line.client: line.server, line.server: line.client}
        with contextlib.suppress(OSError):
            while ends and not (line.is_closed or line.is_reset):
                if self.is_stuck or line.is_dead:
                    time.sleep(POLL_SECONDS)
                    continue
                readable, _, _ = select.select([*ends], [], [], POLL_SECONDS)
                for source in readable:
                    if not self._pass_piece(line, source, ends[source]):
                        del ends[source]
        line.close()
        self._lines.remove(line)

    def _pass_piece(self, line: _Link, source: socket.socket, target: socket.socket) -> bool:
        """Pass a piece on; return False at the end."""
        data = source.recv(CHUNK_BYTES)
        time.sleep(self.latency if data else self.slow_close)
        if not data:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            return False
        if source is line.client and self.stall_after is not None:
            line.passed += len(data)
            if line.passed > self.stall_after:
                self.stalled.set()
                return True
        target.sendall(data)
        return True


@contextmanager
def running_proxy(server: Server) -> Iterator[Proxy]:
    """Run a proxy before the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener, server)
        thread = threading.Thread(target=proxy.serve)
        thread.start()
        try:
            yield proxy
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(timeout=10)
            proxy.cut()
