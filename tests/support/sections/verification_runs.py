"""One run of each SQL section about verifications, on the world of `world.fill`."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from db.administration import verifications
from db.administration.verifications import Blocks, VerifiedPart
from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import prices
from tests.support.sections.world import CNAAA

BLOCKS = Blocks(0, 8)
PART = VerifiedPart("prices", 19_680, 0, 3, Decimal(-7), 19_723)


async def _import(connection: Connection) -> None:
    """Read the snapshot of another session, as the first statement of a transaction."""
    async with connect(connection.info.dsn, INGEST) as other, other.transaction():
        name = await verifications.export_snapshot(other)
        await connection.execute("ROLLBACK")
        await connection.execute("BEGIN")
        await prices.set_snapshot_isolation(connection)
        await verifications.import_snapshot(connection, name)


async def _pack_totals(connection: Connection) -> list[list[bytes]]:
    """Return the sorted values of each column of fixed width: the rows have no order."""
    packed = await verifications.pack_totals(connection, BLOCKS, 64, before=1 << 20, parts=[(19_723, 0)])
    assert packed is not None
    return [sorted(column[at : at + 4] for at in range(0, len(column), 4)) for column in packed[:6]]


async def _pack_prices(connection: Connection) -> list[list[bytes]]:
    packed = await verifications.pack_prices(connection, BLOCKS, before=1 << 20, days=(19_723, 19_753))
    assert packed is not None
    return [sorted(column[at : at + 4] for at in range(0, len(column), 4)) for column in packed[:4]]


async def _store(connection: Connection) -> None:
    await verifications.upsert_verification(
        connection,
        storage="test",
        settled_xid=3,
        last_location=CNAAA,
        tree_sha256=b"",
        month_count=1,
        failed=[],
        files=[[1, 2, 3, 0]],
    )


async def _find(connection: Connection) -> object:
    found = await verifications.find_verification(connection)
    assert found is not None
    return found.storage, found.files


VERIFICATION_RUNS: Mapping[str, Callable[[Connection], Awaitable[object]]] = {
    "verifications.delete_verified_parts": verifications.delete_verified_parts,
    "verifications.describe_storage": verifications.describe_storage,
    "verifications.export_snapshot": verifications.export_snapshot,
    "verifications.find_verification": _find,
    "verifications.import_snapshot": _import,
    "verifications.insert_verified_parts": lambda c: verifications.insert_verified_parts(c, [PART]),
    "verifications.list_prices_checksums": lambda c: verifications.list_prices_checksums(
        c, BLOCKS, 64, before=1_000, settled=1_000
    ),
    "verifications.list_sketches_checksums": lambda c: verifications.list_sketches_checksums(
        c, BLOCKS, 64, before=1_000, settled=1_000
    ),
    "verifications.list_totals_checksums": lambda c: verifications.list_totals_checksums(
        c, BLOCKS, 64, before=1_000, settled=1_000
    ),
    "verifications.list_verified_parts": verifications.list_verified_parts,
    "verifications.lock_verifications": verifications.lock_verifications,
    "verifications.pack_prices": _pack_prices,
    "verifications.pack_sketches": lambda c: verifications.pack_sketches(c, BLOCKS, 64, before=1 << 20, parts=None),
    "verifications.pack_totals": _pack_totals,
    "verifications.upsert_verification": _store,
}
VERIFICATION_RUN_BEFORE: Mapping[str, tuple[str, ...]] = {
    "verifications.find_verification": ("verifications.upsert_verification",),
    "verifications.list_verified_parts": ("verifications.insert_verified_parts",),
}
