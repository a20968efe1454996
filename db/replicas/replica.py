"""Read replica with a gate that is open while it has the current version of the data.

Whenever the version changes, the gate closes at once. Its task asks the primary for the end of the write-ahead log, which lies
after the change, polls the replica until that position is replayed, and opens the gate unless the version has changed again.
So a read costs no comparison, and no answer from before a change is cached under the version after it.

A connection proves nothing about another one: after a crash a standby first serves an older state, and an address may lead to
another server. So every connection of the pool is compared with the server of the session when it is opened, and whenever a
connection is lost the session ends and another one begins.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TypeVar

from db.connection import Connection, abort, closing_on_timeout
from db.errors import (
    ConnectionLost,
    DatabaseError,
    DatabaseUnavailable,
    ReplicaRefused,
    StaleReplica,
    describe_for_operator,
)
from db.pool import API, Pool, connect, open_pool
from db.repositories import versions
from db.repositories.versions import Position, ReplicaServer

log = logging.getLogger("ratesgraph.db")

T = TypeVar("T")

HEARTBEAT_SECONDS = 1.0
"""Interval at which an idle replica is checked. A replica that hangs is given up, and its reads are repeated at the primary."""
RECONNECT_SECONDS = 1.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.001, 0.05
"""Pauses between two polls of a replica that has yet to replay a change. Most are replayed after one or two milliseconds."""
LAGGING_PAUSE_SECONDS = 1.0
START = Position("0/0", 0, "", "")
"""The beginning of the write-ahead log, which every standby has replayed."""
NO_FEEDBACK = (
    "hot_standby_feedback is off: the primary may remove rows that long reads need, and such reads are cancelled and repeated"
    " at the primary; set it to on at the replica"
)


class ReplicaState(StrEnum):
    """State of a read replica. Only an open one answers reads."""

    AWAY = "away"
    REFUSED = "refused"
    BEHIND = "behind"
    LAGGING = "lagging"
    OPEN = "open"


class Replica:
    """Read replica with a gate.

    `locate` returns the position of the primary. `on_state` is called whenever the gate has opened or closed.

    Attributes:
        number: Place in the setting, from 1.
        state: What the replica is doing.
    """

    def __init__(
        self,
        number: int,
        database_url: str,
        locate: Callable[[], Awaitable[Position]],
        on_state: Callable[[], None],
        *,
        max_size: int,
        read_seconds: float,
        lag_seconds: float,
    ) -> None:
        self.number = number
        self.state = ReplicaState.AWAY
        self._url = database_url
        self._locate = locate
        self._on_state = on_state
        self._max_size = max_size
        self._read_seconds = read_seconds
        self._lag_seconds = lag_seconds
        self._pool: Pool | None = None
        self._session: ReplicaServer | None = None
        self._replayed: Position | None = None
        self._in_use: set[Connection] = set()
        self._is_known = False
        self._epoch = 0
        self._is_lost = False
        self._woken = asyncio.Event()
        self._behind_since: float | None = asyncio.get_running_loop().time()
        self._logged: set[str] = set()

    @property
    def pool(self) -> Pool | None:
        """Return the pool of the session, or None while the replica is away."""
        return self._pool

    def lag(self) -> float:
        """Return the seconds since the oldest change that the replica lacks, or since it was lost.

        Return 0 while it is open.
        """
        return 0.0 if self._behind_since is None else asyncio.get_running_loop().time() - self._behind_since

    def close(self, *, is_known: bool) -> None:
        """Close the gate: the data has changed. It stays closed while the version is not known."""
        self._epoch += 1
        self._is_known = is_known
        if self.state is ReplicaState.OPEN:
            self._enter(ReplicaState.BEHIND)
        self._woken.set()

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work.

        Raise a DatabaseError if the work has to be repeated at the primary.
        """
        if self._pool is None:
            raise DatabaseUnavailable

        async def work_tracked(connection: Connection) -> T:
            self._in_use.add(connection)
            try:
                return await work(connection)
            finally:
                self._in_use.discard(connection)

        try:
            return await self._pool.read_once(work_tracked)
        except ConnectionLost:
            self._lose()
            raise

    def _enter(self, state: ReplicaState) -> None:
        if state is ReplicaState.OPEN:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = asyncio.get_running_loop().time()
        self.state = state
        self._on_state()

    def _lose(self) -> None:
        """End the session.

        Other connections may lead to another server, or to one that has restarted with older data.
        """
        self._is_lost = True
        self.close(is_known=self._is_known)

    def _report(self, reason: str) -> None:
        """Log the reason once, until the replica has been open again."""
        if reason not in self._logged:
            self._logged.add(reason)
            log.warning("read replica %d: %s", self.number, reason)

    async def run(self) -> None:
        """Hold sessions with the replica until the task is cancelled."""
        while True:
            state = ReplicaState.AWAY
            try:
                async with connect(self._url, API, _accept) as connection, self._open_session(connection):
                    while True:
                        await self._follow(connection)
            except DatabaseError as error:
                state = ReplicaState.REFUSED if isinstance(error, ReplicaRefused) else state
                self._report(f"{state}; reads go to the primary: {describe_for_operator(error)}")
            except Exception:
                # The task must not end here: the replica would stay away.
                log.exception("read replica %d failed; reconnecting", self.number)
            self._enter(state)
            await asyncio.sleep(RECONNECT_SECONDS)

    @asynccontextmanager
    async def _open_session(self, connection: Connection) -> AsyncIterator[None]:
        """Open the pool, if the server is a replica of the primary."""
        with closing_on_timeout(connection):
            server = await versions.describe_server(connection)
        check_replica(server, await self._locate())
        if server.is_standby and not server.has_feedback:
            self._report(NO_FEEDBACK)
        self._session, self._replayed, self._is_lost = server, None, False
        async with open_pool(
            self._url,
            API,
            max_size=self._max_size,
            outage_seconds=0,
            read_seconds=self._read_seconds,
            check=self._verify,
        ) as pool:
            self._pool = pool
            self._enter(ReplicaState.BEHIND)
            try:
                yield
            finally:
                self._pool = None
                self._enter(ReplicaState.AWAY)
                # Reads that wait for a replica that hangs fail now, and are repeated at the primary.
                for used in list(self._in_use):
                    abort(used)

    async def _verify(self, connection: Connection) -> None:
        """Raise StaleReplica unless the connection leads to the server of the session.

        The server must still have what it had replayed.
        """
        session = self._session
        if session is None:
            raise StaleReplica
        if not await self._has_replayed(connection, self._replayed or START._replace(timeline=session.timeline)):
            raise StaleReplica("The server has not replayed what it had before.")

    async def _has_replayed(self, connection: Connection, position: Position) -> bool:
        """Return whether the replica has the changes before the position.

        A Citus worker, or the primary itself, always does. Raise StaleReplica if it is not the server of the session.
        """
        session, replay = self._session, await versions.measure_replay(connection, position)
        if session is None or replay.started_at != session.started_at:
            raise StaleReplica("The connection leads to another server, or the server has restarted.")
        if replay.is_standby != session.is_standby:
            raise StaleReplica("The standby has been promoted.")
        return replay.has_replayed or not session.is_standby

    async def _follow(self, connection: Connection) -> None:
        """Open the gate when the replica has the current data.

        Then wait for a change or for the next heartbeat.
        """
        self._woken.clear()
        if self._is_lost:
            raise StaleReplica("A connection was lost.")
        with closing_on_timeout(connection):
            await self._verify(connection)
        if self._is_known and self.state is not ReplicaState.OPEN:
            await self._catch_up(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._woken.wait()

    async def _catch_up(self, connection: Connection) -> None:
        """Wait until the replica has replayed the end of the primary's log.

        Then open the gate, unless the data has changed.
        """
        loop = asyncio.get_running_loop()
        epoch, asked_at, pause = self._epoch, loop.time(), FIRST_PAUSE_SECONDS
        try:
            position = await self._locate()
        except DatabaseError:
            # An outage of the primary: the version becomes unknown, and the gate stays closed.
            return
        while True:
            with closing_on_timeout(connection):
                if await self._has_replayed(connection, position):
                    break
            if self._is_lost or (self._epoch != epoch and loop.time() > asked_at + LAGGING_PAUSE_SECONDS):
                # After a failover the old position may never be replayed.
                return
            if self.lag() > self._lag_seconds and self.state is ReplicaState.BEHIND:
                self._enter(ReplicaState.LAGGING)
                self._report(f"has not replayed the last change after {self._lag_seconds:g} s; reads go to the primary")
            await asyncio.sleep(LAGGING_PAUSE_SECONDS if self.state is ReplicaState.LAGGING else pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        self._replayed = position
        if self._epoch == epoch:
            if self._logged - {NO_FEEDBACK}:
                log.warning("read replica %d: answers reads again after %.1f s", self.number, self.lag())
            self._logged &= {NO_FEEDBACK}
            self._enter(ReplicaState.OPEN)
        else:
            self._behind_since = asked_at
            self._enter(ReplicaState.BEHIND)


async def _accept(_connection: Connection) -> None:
    """Accept a server that takes no writes: the session checks it."""


def check_replica(server: ReplicaServer, primary: Position) -> None:
    """Raise ReplicaRefused unless the server can be a replica.

    It can be a standby of the primary, a Citus worker, or the primary itself.
    """
    if server.system != primary.system:
        if server.is_standby or not server.has_citus:
            raise ReplicaRefused("The server is neither a standby of the primary nor a Citus worker.")
    elif server.tables != primary.tables:
        raise ReplicaRefused("The URL names another database or schema than that of the primary.")
    elif not server.is_standby and server.timeline != primary.timeline:
        raise ReplicaRefused("The server has been promoted and no longer follows the primary.")
