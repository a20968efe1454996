"""Shards of a Citus cluster: which worker stores the totals of an origin."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg import AsyncClientCursor
from psycopg.rows import args_row

from db.administration import citus
from db.connection import Connection
from db.errors import NODE_MESSAGE, DatabaseError, NodeUnavailable
from db.sql import load_sections

SQL = load_sections("shards")


class Layout(NamedTuple):
    """Distribution of the totals as the coordinator knows it.

    Two equal layouts have the same owners of lanes.

    Attributes:
        placements: Shards with their ranges of hashes and their nodes, or None if the totals are not distributed.
        nodes: Workers that can plan queries themselves, with their addresses.
        last_location: Greatest ID of a location.
    """

    placements: str | None
    nodes: str | None
    last_location: int | None


class Node(NamedTuple):
    """Worker of the cluster; `group` is its number in the placements of shards."""

    group: int
    host: str
    port: int

    @property
    def address(self) -> str:
        """Return host and port."""
        return f"{self.host}:{self.port}"


class NodeState(NamedTuple):
    """State of a worker.

    Attributes:
        started_at: Identifies the running server: another one, or the same after a restart, has another time.
        system: Identifier of the server's data.
        group: Number of the node in the placements.
        placements: Placements of the shards in the metadata of the worker.
        prepared: Prepared transactions, which the coordinator has yet to commit or roll back.
    """

    started_at: str
    system: str
    group: int
    placements: str | None
    prepared: list[str]


async def describe_layout(connection: Connection) -> Layout:
    """Return the distribution of the totals. It runs on the coordinator."""
    async with connection.cursor(row_factory=args_row(Layout)) as cursor:
        await cursor.execute(SQL["describe_layout"])
        return (await cursor.fetchall())[0]


async def has_catalogs(connection: Connection) -> bool:
    """Return whether the database has the catalogs of Citus."""
    ((has,),) = await (await connection.execute(SQL["has_catalogs"])).fetchall()
    return bool(has)


async def list_nodes(connection: Connection) -> list[Node]:
    """Return the workers that can plan queries themselves."""
    async with connection.cursor(row_factory=args_row(Node)) as cursor:
        await cursor.execute(SQL["list_nodes"])
        return await cursor.fetchall()


async def list_owners(connection: Connection) -> list[tuple[int, int]]:
    """Return each origin with the shard of its totals."""
    cursor = await connection.execute(SQL["list_owners"])
    return [(origin, shard) for origin, shard in await cursor.fetchall()]


async def list_placements(connection: Connection) -> list[tuple[int, int]]:
    """Return each shard of the totals with the group of its node."""
    cursor = await connection.execute(SQL["list_placements"])
    return [(shard, group) for shard, group in await cursor.fetchall()]


async def identify_node(connection: Connection, node: Node) -> str | None:
    """Return the identifier of the server that the coordinator reaches, or None."""
    cursor = await connection.execute(SQL["identify_node"], {"host": node.host, "port": node.port})
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def describe_node(connection: Connection) -> NodeState:
    """Return the state of a worker. It runs on that worker."""
    async with connection.cursor(row_factory=args_row(NodeState)) as cursor:
        await cursor.execute(SQL["describe_node"])
        return (await cursor.fetchall())[0]


async def are_totals_distributed(connection: Connection) -> bool:
    """Return whether the totals are distributed over the nodes of a Citus cluster."""
    if await citus.find_citus(connection) is None:
        return False
    return "price_totals" in await citus.list_distributed_tables(connection)


async def run_on_shards(connection: Connection, statement: bytes, parameters: Mapping[str, object]) -> list[Any]:
    """Run a statement about the totals on each shard at its node, and return its values.

    The statement names no other table, and returns at most one row, with one column of type json. Each shard has a transaction
    of its own. Raise NodeUnavailable, or DatabaseError with the reason, if it fails on one.
    """
    text = AsyncClientCursor(connection).mogrify(statement, parameters).replace("%", "%%")
    command = re.sub(r"\bprice_totals\b", "%1$s", text)
    shards = await (await connection.execute(SQL["run_on_shards"], {"command": command})).fetchall()
    for shard, success, result in shards:
        if not success:
            unreachable = NODE_MESSAGE.search(result)
            raise (NodeUnavailable if unreachable else DatabaseError)(f"Shard {shard} of the totals: {result}")
    return [json.loads(result) for _, _, result in shards if result]
