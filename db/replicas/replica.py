"""Read replica: a gated server that replays the write-ahead log of the primary.

When the data has changed, its task asks the primary for the end of the log, which lies after the change. It then polls the
replica until that position is replayed.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from db.connection import Connection, closing_on_timeout
from db.errors import DatabaseError, ReplicaRefused, StaleReplica
from db.replicas.gated_server import GatedServer, GateSettings
from db.repositories import versions
from db.repositories.versions import Position, ReplicaServer

START = Position("0/0", 0, "", "")
"""The beginning of the write-ahead log, which every standby has replayed."""
NO_FEEDBACK = (
    "hot_standby_feedback is off: the primary may remove rows that long reads need, and such reads are cancelled and repeated"
    " at the primary; set it to on at the replica"
)


class Replica(GatedServer):
    """Read replica with a gate.

    `locate` returns the position of the primary.

    Attributes:
        number: Place in the setting, from 1.
    """

    def __init__(
        self,
        number: int,
        database_url: str,
        locate: Callable[[], Awaitable[Position]],
        on_state: Callable[[], None],
        settings: GateSettings,
    ) -> None:
        super().__init__(f"read replica {number}", database_url, on_state, settings)
        self.number = number
        self._locate = locate
        self._session: ReplicaServer | None = None
        self._replayed: Position | None = None

    async def _identify(self, connection: Connection) -> None:
        with closing_on_timeout(connection):
            server = await versions.describe_server(connection)
        check_replica(server, await self._locate())
        if server.is_standby and not server.has_feedback:
            self._report(NO_FEEDBACK)
        self._session, self._replayed = server, None

    async def _verify(self, connection: Connection) -> None:
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

    async def _await_changes(self, connection: Connection) -> Callable[[], Awaitable[bool]] | None:
        try:
            position = await self._locate()
        except DatabaseError:
            # An outage of the primary: the version becomes unknown, and the gate stays closed.
            return None
        return partial(self._poll, connection, position)

    async def _poll(self, connection: Connection, position: Position) -> bool:
        if not await self._has_replayed(connection, position):
            return False
        self._replayed = position
        return True

    def _report_recovery(self) -> None:
        has_feedback = NO_FEEDBACK not in self._logged
        self._logged.discard(NO_FEEDBACK)
        super()._report_recovery()
        if not has_feedback:
            self._logged.add(NO_FEEDBACK)


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
