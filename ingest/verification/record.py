"""Record of the last verification, for the next one."""

from collections.abc import Collection
from datetime import date

from db.administration import verifications
from db.administration.verifications import StorageState
from db.connection import Connection
from ingest.verification.changes import Inputs, Scope


async def store_verification(
    connection: Connection, state: StorageState, inputs: Inputs, scope: Scope, *, failed: Collection[date]
) -> None:
    """Record the result of a verification.

    Do nothing if another command has recorded a verification of a later snapshot meanwhile. The next verification checks all
    rows of the `failed` months.
    """
    async with connection.transaction():
        await verifications.lock_verifications(connection)
        last = await verifications.find_verification(connection)
        if last is not None and last.storage == state.identity and last.settled_xid > state.settled_xid:
            return
        await verifications.delete_verified_parts(connection)
        await verifications.insert_verified_parts(connection, scope.checksums)
        await verifications.upsert_verification(
            connection,
            storage=state.identity,
            settled_xid=state.settled_xid,
            last_location=inputs.last_location,
            tree_sha256=inputs.hash_tree(inputs.last_location),
            month_count=len(scope.list_months()),
            failed=sorted(failed),
            files=inputs.list_files(),
        )
