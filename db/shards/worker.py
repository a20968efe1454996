"""Citus worker: a gated server that answers the lanes of its own shards.

The coordinator commits a batch on itself, and then tells the workers to commit what they have prepared. So a worker has all
changes that were announced before a moment when the transactions are gone that were prepared at that moment. A transaction
that changes the placements of shards is committed in the same way. The placements that the worker knows must be the current
ones, or it would read a shard that has moved away.
"""

from collections.abc import Awaitable, Callable

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.administration import shards
from db.administration.shards import Layout, Node, NodeState
from db.connection import Connection, closing_on_timeout
from db.errors import ReplicaRefused, StaleReplica
from db.replicas.gated_server import GatedServer, GateSettings, GateState


class ShardWorker(GatedServer):
    """Citus worker with a gate.

    `identify` returns the identifier of the server that the coordinator reaches as this node, or None. `on_return` is called
    when the gate has opened after an outage of the worker.

    Attributes:
        node: Address of the worker in the metadata of the cluster.
    """

    reads_elsewhere = "its lanes are read through the coordinator"

    def __init__(
        self,
        node: Node,
        coordinator_url: str,
        identify: Callable[[], Awaitable[str | None]],
        on_state: Callable[[], None],
        on_return: Callable[[], None],
        settings: GateSettings,
    ) -> None:
        super().__init__(f"Citus worker {node.address}", create_node_url(coordinator_url, node), on_state, settings)
        self.node = node
        self._identify_node = identify
        self._on_return = on_return
        self._was_away = self._is_tried = False
        self._placements: str | None = None
        self._session: NodeState | None = None

    def expect(self, layout: Layout) -> None:
        """Open the gate as soon as the worker knows this layout and has all changes of now."""
        self._placements = layout.placements
        self.close(is_known=True)

    @property
    def is_pending(self) -> bool:
        """Return whether the worker, as far as it can be reached, may have yet to commit a change."""
        return not self._is_tried or self.state in {GateState.BEHIND, GateState.LAGGING}

    def _enter(self, state: GateState) -> None:
        self._is_tried = True
        super()._enter(state)
        if state is GateState.AWAY:
            self._was_away = True
        elif state is GateState.OPEN and self._was_away:
            self._was_away = False
            self._on_return()

    async def _identify(self, connection: Connection) -> None:
        with closing_on_timeout(connection):
            state = await shards.describe_node(connection)
        system = await self._identify_node()
        if system is None:
            raise StaleReplica("The coordinator does not reach the worker.")
        if (state.system, state.group) != (system, self.node.group):
            raise ReplicaRefused("The address leads to another server than the worker that the coordinator reaches.")
        self._session = state

    async def _verify(self, connection: Connection) -> None:
        await self._describe(connection)

    async def _describe(self, connection: Connection) -> NodeState:
        """Return the state of the worker. Raise StaleReplica if it is not the server of the session."""
        session, state = self._session, await shards.describe_node(connection)
        if session is None or (state.started_at, state.system) != (session.started_at, session.system):
            raise StaleReplica("The connection leads to another server, or the server has restarted.")
        return state

    async def _await_changes(self, connection: Connection) -> Callable[[], Awaitable[bool]]:
        placements = self._placements
        pending: set[str] | None = None

        async def poll() -> bool:
            nonlocal pending
            state = await self._describe(connection)
            # Transactions that are prepared later belong to later changes.
            pending = set(state.prepared) if pending is None else pending.intersection(state.prepared)
            return state.placements == placements and not pending

        return poll


def create_node_url(coordinator_url: str, node: Node) -> str:
    """Return the URL of the coordinator with the address of the node."""
    options = conninfo_to_dict(coordinator_url) | {"host": node.host, "port": node.port, "hostaddr": None}
    return make_conninfo("", **options)
