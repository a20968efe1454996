"""A way to a server that can be cut: what a network, a restart or a slow line does to a client."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK_BYTES = 65_536


class Proxy:
    """Passes bytes on to a server on a local port, if there is one."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        self._listener = listener
        self._open: list[socket.socket] = []
        self.server_port: int | None = port
        self.stall_after: int | None = None
        """After so many bytes of a connection nothing more is passed on to the server."""
        self.stalled = threading.Event()

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/graphql"

    def cut(self) -> None:
        """Close every connection."""
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.server_port is None:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.server_port))
                self._open += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                passed += len(data)
                if self.stall_after is not None and passed > self.stall_after:
                    self.stalled.set()
                    continue
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_proxy(port: int) -> Iterator[Proxy]:
    """Run a proxy before the server on the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener, port)
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
            for sock in proxy._open:
                sock.close()
