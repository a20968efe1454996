"""Server with a gate: it answers reads only while it has the current version of the data.

Whenever the version changes, the gate closes at once. The task of the server finds out when it has the change, and opens the
gate unless the version has changed again. So a read costs no comparison, and no answer from before a change is cached under the
version after it.

A connection proves nothing about another one: after a crash a server may first serve an older state, and an address may lead to
another server. So every connection of the pool is compared with the server of the session when it is opened. Whenever a
connection is lost, the session ends and another one begins.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import NamedTuple, TypeVar

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

log = logging.getLogger("ratesgraph.db")

T = TypeVar("T")

HEARTBEAT_SECONDS = 1.0
"""Interval at which an idle server is checked. One that hangs is given up, and its reads are repeated elsewhere."""
RECONNECT_SECONDS = 1.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.001, 0.05
"""Pauses between two polls of a server that has yet to receive a change. Most arrive within one or two milliseconds."""
LAGGING_PAUSE_SECONDS = 1.0


class GateState(StrEnum):
    """State of a server with a gate. Only an open one answers reads."""

    AWAY = "away"
    REFUSED = "refused"
    BEHIND = "behind"
    LAGGING = "lagging"
    OPEN = "open"


class GateSettings(NamedTuple):
    """Settings that all gated servers of a process share.

    Attributes:
        max_size: Maximum number of connections of a server's pool.
        read_seconds: Time limit of a read.
        lag_seconds: Time after which a server that lacks a change counts as lagging.
    """

    max_size: int
    read_seconds: float
    lag_seconds: float


class GatedServer(ABC):
    """Server with a gate, a pool while it can be reached, and a task that opens the gate.

    `on_state` is called whenever the gate has opened or closed.

    Attributes:
        name: Name for the log.
        state: What the server is doing.
    """

    reads_elsewhere = "reads go to the primary"
    """Consequence of a closed gate, for the log."""

    def __init__(self, name: str, database_url: str, on_state: Callable[[], None], settings: GateSettings) -> None:
        self.name = name
        self.state = GateState.AWAY
        self._url = database_url
        self._on_state = on_state
        self._settings = settings
        self._pool: Pool | None = None
        self._in_use: set[Connection] = set()
        self._is_known = False
        self._epoch = 0
        self._is_lost = False
        self._woken = asyncio.Event()
        self._behind_since: float | None = asyncio.get_running_loop().time()
        self._logged: set[str] = set()

    @property
    def pool(self) -> Pool | None:
        """Return the pool of the session, or None while the server is away."""
        return self._pool

    def lag(self) -> float:
        """Return the seconds since the oldest change that the server lacks, or since it was lost.

        Return 0 while it is open.
        """
        return 0.0 if self._behind_since is None else asyncio.get_running_loop().time() - self._behind_since

    def close(self, *, is_known: bool) -> None:
        """Close the gate: the data has changed. It stays closed while the version is not known."""
        self._epoch += 1
        self._is_known = is_known
        if self.state is GateState.OPEN:
            self._enter(GateState.BEHIND)
        self._woken.set()

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work.

        Raise a DatabaseError if the work has to be repeated elsewhere.
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

    def _enter(self, state: GateState) -> None:
        if state is GateState.OPEN:
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
        """Log the reason once, until the server has been open again."""
        if reason not in self._logged:
            self._logged.add(reason)
            log.warning("%s: %s", self.name, reason)

    async def run(self) -> None:
        """Hold sessions with the server until the task is cancelled."""
        while True:
            state = GateState.AWAY
            try:
                async with connect(self._url, API, _accept) as connection, self._open_session(connection):
                    while True:
                        await self._follow(connection)
            except DatabaseError as error:
                state = GateState.REFUSED if isinstance(error, ReplicaRefused) else state
                self._report(f"{state}; {self.reads_elsewhere}: {describe_for_operator(error)}")
            except Exception:
                # The task must not end here: the server would stay away.
                log.exception("%s failed; reconnecting", self.name)
            self._enter(state)
            await asyncio.sleep(RECONNECT_SECONDS)

    @asynccontextmanager
    async def _open_session(self, connection: Connection) -> AsyncIterator[None]:
        """Open the pool, if the server may be used."""
        await self._identify(connection)
        self._is_lost = False
        async with open_pool(
            self._url,
            API,
            max_size=self._settings.max_size,
            outage_seconds=0,
            read_seconds=self._settings.read_seconds,
            check=self._verify,
        ) as pool:
            self._pool = pool
            self._enter(GateState.BEHIND)
            try:
                yield
            finally:
                self._pool = None
                self._enter(GateState.AWAY)
                # Reads that wait for a server that hangs fail now, and are repeated elsewhere.
                for used in list(self._in_use):
                    abort(used)

    async def _follow(self, connection: Connection) -> None:
        """Open the gate when the server has the current data.

        Then wait for a change or for the next heartbeat.
        """
        self._woken.clear()
        if self._is_lost:
            raise StaleReplica("A connection was lost.")
        with closing_on_timeout(connection):
            await self._verify(connection)
        if self._is_known and self.state is not GateState.OPEN:
            await self._catch_up(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._woken.wait()

    async def _catch_up(self, connection: Connection) -> None:
        """Wait until the server has all changes of this moment.

        Then open the gate, unless the data has changed.
        """
        loop = asyncio.get_running_loop()
        epoch, asked_at, pause = self._epoch, loop.time(), FIRST_PAUSE_SECONDS
        has_arrived = await self._await_changes(connection)
        if has_arrived is None:
            return
        while True:
            with closing_on_timeout(connection):
                if await has_arrived():
                    break
            if self._is_lost or (self._epoch != epoch and loop.time() > asked_at + LAGGING_PAUSE_SECONDS):
                # What is awaited may never come, for instance after a failover.
                return
            if self.lag() > self._settings.lag_seconds and self.state is GateState.BEHIND:
                self._enter(GateState.LAGGING)
                self._report(
                    f"does not have the last change after {self._settings.lag_seconds:g} s; {self.reads_elsewhere}"
                )
            await asyncio.sleep(LAGGING_PAUSE_SECONDS if self.state is GateState.LAGGING else pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        if self._epoch == epoch:
            self._report_recovery()
            self._enter(GateState.OPEN)
        else:
            self._behind_since = asked_at
            self._enter(GateState.BEHIND)

    def _report_recovery(self) -> None:
        if self._logged:
            self._logged.clear()
            log.warning("%s: answers reads again after %.1f s", self.name, self.lag())

    @abstractmethod
    async def _identify(self, connection: Connection) -> None:
        """Begin a session with the server. Raise ReplicaRefused if it must not be used."""

    @abstractmethod
    async def _verify(self, connection: Connection) -> None:
        """Raise StaleReplica unless the connection leads to the server of the session.

        It must have the data that the session has seen.
        """

    @abstractmethod
    async def _await_changes(self, connection: Connection) -> Callable[[], Awaitable[bool]] | None:
        """Return a poll that is true as soon as the server has all changes of this moment.

        Return None if that cannot be found out now.
        """


async def _accept(_connection: Connection) -> None:
    """Accept a server that takes no writes: the session checks it."""
