"""TCP proxy that injects faults: cuts, resets, stalls, latency, and half-open connections."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import DEADLINE_SECONDS

CHUNK_BYTES = 65_536
POLL_SECONDS = 0.02
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a timeout of zero: closing sends a reset, and data in transit is lost."""
Server = int | Path
"""A local port, or the path of a Unix socket."""


class _Link:
    """Pair of sockets of one proxied connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.is_closed = self.is_reset = False
        self.is_dead = False
        """Half-open: nothing is forwarded, and neither side is notified."""
        self.forwarded_bytes = 0

    def shut(self) -> None:
        """Shut both sides down in an orderly way."""
        self.is_closed = True
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both sockets, with a reset if one is requested."""
        for sock in (self.client, self.server):
            if self.is_reset:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()


class Proxy:
    """Proxy that forwards bytes to a server, if one is set."""

    def __init__(self, listener: socket.socket, server: Server) -> None:
        self._listener = listener
        self._links: list[_Link] = []
        self._connecting = threading.Lock()
        self.server: Server | None = server
        """With None, connections are closed at once."""
        self.stall_after: int | None = None
        """Number of bytes of a connection after which nothing more is forwarded to the server."""
        self.stalled = threading.Event()
        self.latency = 0.0
        """Delay of each chunk in seconds, in both directions."""
        self.is_stuck = False
        """While true, nothing is forwarded on any connection, including new ones."""
        self.slow_close = 0.0
        """Delay in seconds before the close of one side reaches the other."""

    @property
    def port(self) -> int:
        """Return the port to connect to."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Return the GraphQL endpoint behind the proxy."""
        return f"http://127.0.0.1:{self.port}/graphql"

    def cut(self) -> None:
        """Close every connection."""
        for link in self._list_links():
            link.shut()

    def reset(self) -> None:
        """Abort every connection with a reset."""
        for link in self._list_links():
            link.is_reset = True

    def half_open(self) -> None:
        """Make every current connection half-open. New connections work."""
        for link in self._list_links():
            link.is_dead = True

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    with self._connecting:
                        link = _Link(client, self._connect())
                        self._links.append(link)
                except OSError:
                    client.close()
                    continue
                threading.Thread(target=self._forward, args=[link], daemon=True).start()

    def _list_links(self) -> list[_Link]:
        """Return the connections, with one that was just being opened."""
        with self._connecting:
            return list(self._links)

    def _connect(self) -> socket.socket:
        server = self.server
        if server is None:
            raise ConnectionRefusedError
        if isinstance(server, int):
            return socket.create_connection(("127.0.0.1", server))
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(server))
        return sock

    def _forward(self, link: _Link) -> None:
        ends = {link.client: link.server, link.server: link.client}
        with contextlib.suppress(OSError):
            while ends and not (link.is_closed or link.is_reset):
                if self.is_stuck or link.is_dead:
                    time.sleep(POLL_SECONDS)
                    continue
                readable, _, _ = select.select([*ends], [], [], POLL_SECONDS)
                for source in readable:
                    if not self._forward_chunk(link, source, ends[source]):
                        del ends[source]
        link.close()
        self._links.remove(link)

    def _forward_chunk(self, link: _Link, source: socket.socket, target: socket.socket) -> bool:
        """Forward one chunk; return False at the end of the stream."""
        data = source.recv(CHUNK_BYTES)
        time.sleep(self.latency if data else self.slow_close)
        if not data:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            return False
        if source is link.client and self.stall_after is not None:
            link.forwarded_bytes += len(data)
            if link.forwarded_bytes > self.stall_after:
                self.stalled.set()
                return True
        target.sendall(data)
        return True


@contextmanager
def running_proxy(server: Server) -> Iterator[Proxy]:
    """Run a proxy in front of the server."""
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
            thread.join(timeout=DEADLINE_SECONDS)
            proxy.cut()
