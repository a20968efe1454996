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
    """Record what was found correct on a snapshot.

    Do nothing if another command has recorded a newer one meanwhile. The next verification checks the `failed` months
    completely.
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
