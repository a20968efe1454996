"""Consistency tokens: read-your-writes at every server, by the header `Ratesgraph-Version`.

The token of a response is a position in the primary's write-ahead log behind all changes that the response reports. A client
sends it to another server, which then answers with these changes or newer data. A server has the changes before a position
when it has received their announcements: its caches and the gates of its replicas have followed. PostgreSQL delivers
notifications in the order of commits. So the server sends one of its own, and what was committed before has arrived with it.
"""

import asyncio
import re
import uuid
from collections.abc import Sequence
from functools import partial

from db.errors import DatabaseError
from db.notifications import POSITIONS, Notifications
from db.pool import Pool
from db.repositories import versions
from resolvers.data_version import DataVersion
from resolvers.loading.coalescing_loader import CoalescingLoader
from server.http.errors import HttpError

VERSION_HEADER = b"ratesgraph-version"
WAIT_SECONDS = 2.0
"""How long a request waits for the announcements of the changes that it asks for."""
POSITION = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
"""A position in the write-ahead log as PostgreSQL writes it (type `pg_lsn`)."""


def parse_position(text: str) -> int:
    """Return the position as a number. Raise HttpError (BAD_PARAMETER) for any other text."""
    match = POSITION.fullmatch(text)
    if match is None:
        message = "The Ratesgraph-Version header must be the value of that header of an earlier response, such as `0/3000DB0`."
        raise HttpError("BAD_PARAMETER", message)
    return (int(match[1], 16) << 32) + int(match[2], 16)


class ConsistencyTokens:
    """Issues tokens, and compares them with the changes that this process has received."""

    def __init__(self, pool: Pool, notifications: Notifications, version: DataVersion) -> None:
        self._pool = pool
        self._notifications = notifications
        self._version = version
        self._received = self._epoch = 0
        self._checks = CoalescingLoader(self._check, max_concurrent=1)

    async def issue(self) -> bytes | None:
        """Return the token for a response that has been computed.

        Return None if the database does not answer at once.
        """
        try:
            end = await self._pool.try_read(versions.locate_end)
        except DatabaseError:
            return None
        return end.encode()

    async def has_received(self, token: bytes) -> bool:
        """Return whether this process has received all changes before the token.

        Wait for them up to WAIT_SECONDS. If they do not arrive, only the primary can answer. While the version of the data is
        unknown, nothing is cached and no replica is read.

        Raise HttpError (BAD_PARAMETER).
        """
        position = parse_position(token.decode("latin-1").strip())
        if self._epoch != self._version.epoch:
            # After a failover the log may continue from a lower position: the old one proves nothing about it.
            self._received, self._epoch = 0, self._version.epoch
        if position <= self._received or not self._version.name:
            return True
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                [is_received] = await self._checks.load_many([position])
        except (TimeoutError, DatabaseError):
            return False
        return is_received

    async def _check(self, positions: Sequence[int]) -> Sequence[bool]:
        """Wait for an own notification, and compare the positions with the one before it.

        A position that the primary has not reached is of another timeline or cluster.
        """
        token, epoch = uuid.uuid4().hex, self._version.epoch
        with self._notifications.subscribe(POSITIONS, token) as arrived:
            end = await self._pool.try_read(partial(versions.announce_position, token=token))
            await arrived.wait()
        received = parse_position(end)
        if epoch == self._epoch == self._version.epoch:
            self._received = received = max(self._received, received)
        return [position <= received for position in positions]
