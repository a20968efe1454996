"""Connection limits of a process: in total, per client address, and the reserve for probes.

At a limit, a connection that is stuck or idle makes room for the new one. If there is none, the new connection is admitted to a
small reserve, in which only the probes of monitoring are answered. So a full server is not mistaken for a dead one and
restarted.
"""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from server.config.network import client_address_key, is_in_networks
from server.http.errors import RETRY_AFTER, HttpError
from server.observability.access_log import PROBES, REQUEST_ID_HEADER, log_rejected_request
from server.runtime.slow_readers import SlowReaders

RESERVED_FDS = 100
"""File descriptors that are not used by clients.

They are for database connections, uploads in progress, the reserve for probes and internal use.
"""
RESERVED_CONNECTIONS = 20
"""Connections above the limit that may query a probe."""
RESERVED_SECONDS = 2.0
"""Time limit for the request on a reserved connection to arrive."""


class Connection(Protocol):
    """Connection that the limiter counts."""

    transport: asyncio.Transport
    client: tuple[str, int] | None

    @property
    def is_idle(self) -> bool:
        """Return whether no request or response is in progress."""


class HttpConnection(Connection, Protocol):
    """Connection that carries HTTP requests."""

    def refuse(self, error: HttpError) -> None:
        """Send the error and close the connection."""


def raise_fd_limit(connections: int) -> int:
    """Raise the limit of file descriptors, and return the number of connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    required = connections + RESERVED_FDS
    if soft != resource.RLIM_INFINITY and soft < required:
        soft = required if hard == resource.RLIM_INFINITY else min(required, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(min(connections, soft - RESERVED_FDS), 1)


class ConnectionLimiter:
    """Limiter of the open connections of one process, in total and per client address.

    Trusted proxies and clients at a Unix socket have no limit of their own, because each of them carries the requests of many.
    """

    def __init__(
        self,
        max_connections: int,
        max_per_address: int,
        trusted_proxies: Iterable[IPv4Network | IPv6Network],
        slow_readers: SlowReaders,
    ) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._trusted_proxies = tuple(trusted_proxies)
        self._slow_readers = slow_readers
        # Dictionaries serve as sets that keep the order: the oldest connection comes first.
        self._open: dict[Connection, None] = {}
        self._reserved: dict[Connection, Callable[[], None]] = {}
        """Connections in the reserve, each with the function that refuses it."""
        self._by_address: dict[str, dict[Connection, None]] = {}

    def admit(self, connection: HttpConnection) -> HttpError | None:
        """Count the connection.

        If a limit is reached, return the error that answers all its requests except probes.
        """
        key = self._address_key(connection)
        same_address = self._by_address.get(key, {})
        if key and len(same_address) >= self._max_per_address and not self._evict(same_address):
            message = f"Too many connections of this address (limit {self._max_per_address:,}); close one first."
            refusal = HttpError("TOO_MANY_CONNECTIONS", message, status=429, headers=RETRY_AFTER)
        elif len(self._open) >= self._max_connections and not self._evict(self._open):
            message = "The server has reached its connection limit. Try again shortly."
            refusal = HttpError("CONNECTIONS_EXHAUSTED", message, status=503, headers=RETRY_AFTER)
        else:
            self._open[connection] = None
            self._by_address.setdefault(key, {})[connection] = None
            return None
        if len(self._reserved) >= RESERVED_CONNECTIONS:
            self._evict_reserved()
        self._reserved[connection] = partial(connection.refuse, refusal)
        return refusal

    def _evict_reserved(self) -> None:
        """Refuse the oldest connection of the address with most connections in the reserve."""
        keys = {connection: self._address_key(connection) for connection in self._reserved}
        counts = Counter(keys.values())
        oldest = max(keys, key=lambda connection: counts[keys[connection]])
        # It is lost only in the next iteration of the event loop, before which more connections may come.
        refuse = self._reserved.pop(oldest)
        if oldest.is_idle:
            refuse()
        else:
            oldest.transport.abort()

    def replace(self, old: Connection, new: Connection) -> None:
        """Transfer the slot from the HTTP to the WebSocket protocol of an upgraded connection."""
        self.release(old)
        self._open[new] = None
        self._by_address.setdefault(self._address_key(new), {})[new] = None

    def release(self, connection: Connection) -> None:
        """Free the slot of a connection that was lost."""
        self._reserved.pop(connection, None)
        if connection not in self._open:
            return
        del self._open[connection]
        key = self._address_key(connection)
        same_address = self._by_address[key]
        del same_address[connection]
        if not same_address:
            del self._by_address[key]

    def _address_key(self, connection: Connection) -> str:
        """Return the key that counts the connections of an address; empty for a proxy."""
        client = connection.client
        if client is None or (self._trusted_proxies and is_in_networks(client[0], self._trusted_proxies)):
            return ""
        return client_address_key({"client": client})

    def _evict(self, connections: Iterable[Connection]) -> bool:
        """Close a connection that is stuck, or else an idle one. Return whether there was one.

        The client of an idle connection may send a request at this very moment. To the client, this is the same as an expired
        keep-alive connection.
        """
        if self._slow_readers.reset_stuck(connection.transport for connection in connections):
            return True
        idle = next((connection for connection in connections if connection.is_idle), None)
        if idle is not None:
            idle.transport.close()
        return idle is not None


class ReservedApp:
    """ASGI application of a reserved connection: answers probes and refuses other requests."""

    def __init__(self, app: ASGIApp, refusal: HttpError) -> None:
        self._app, self._refusal = app, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request. The response is the last one on its connection."""
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        response = self._refusal.to_response()
        request_id = log_rejected_request(self._refusal, scope["headers"], 0.0)
        response.raw_headers += [(REQUEST_ID_HEADER, request_id), (b"connection", b"close")]
        await response(scope, receive, send)
