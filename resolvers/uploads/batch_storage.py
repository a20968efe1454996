"""Storage of uploads: payload, batch and audit entry, in one transaction."""

from collections.abc import AsyncIterator, Callable

from db.connection import Connection
from db.errors import DatabaseUnavailable
from db.repositories import audit, batches, payloads
from db.repositories.audit import Action
from domain.batches import FileFormat, OnError
from resolvers.context import RequestContext
from resolvers.errors import RequestError


async def store_batch(
    context: RequestContext,
    chunks: Callable[[], AsyncIterator[bytes]],
    file_format: FileFormat,
    *,
    on_error: OnError,
    source: str,
    idempotency_key: str | None,
    digest: bytes,
) -> int | None:
    """Store an upload and its batch. Return the batch ID, or None for a used idempotency key.

    With a key, the transaction is retried after a lost connection: if the first try was committed, the retry finds its key.
    Raise RequestError (NO_ROOM) if the disk has no room for it. A replay needs none.
    """

    async def write(connection: Connection) -> int | None:
        async with connection.transaction():
            batch_id = await batches.insert_batch(
                connection,
                on_error=on_error,
                source=source,
                idempotency_key=idempotency_key,
                payload_sha256=digest,
                uploader=context.caller.name,
            )
            if batch_id is None:
                return None
            part = 0
            async for data in chunks():
                require_room(context, len(data))
                await payloads.insert_payload(connection, batch_id=batch_id, part=part, format=file_format, data=data)
                part += 1
            await audit.insert_entry(connection, context.caller.label, Action.UPLOAD, batch_id=batch_id, detail=source)
            await batches.announce_batch(connection)
            return batch_id

    try:
        if idempotency_key is not None:
            return await context.app.pool.write_idempotent(write)
        async with context.app.pool.connection() as connection:
            return await write(connection)
    except DatabaseUnavailable:
        # A full disk may be the reason for the outage, and is the more useful answer.
        require_room(context)
        raise


def require_room(context: RequestContext, size: int = 0) -> None:
    """Raise RequestError (NO_ROOM) unless `size` more bytes leave the reserve of the disk free."""
    if context.app.disk_space is not None and (shortage := context.app.disk_space.find_shortage(size)) is not None:
        raise RequestError("NO_ROOM", str(shortage), **shortage.details)
