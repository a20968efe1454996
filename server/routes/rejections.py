"""`GET /batches/{id}/rejections.csv`: the problems of a batch as a download.

The report is written to a temporary file first. So a client that reads slowly, or not at all, holds a file that has no name,
and neither a database connection nor one of the few places; and what goes wrong can still be told by a status.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from tempfile import TemporaryFile
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from db.errors import DatabaseError
from db.pool import Pool
from db.repositories import batches
from graph.execution.authorization import UPLOADING, NotAdmitted, admit
from resolvers.caller import Caller
from resolvers.uploads.batches import parse_batch_id
from server.auth.access_control import Admission
from server.http.errors import BadRequest, not_admitted, unavailable
from server.ingest_adapter import report_rejections

MAX_AT_ONCE = 2
"""Reports that a process writes at once: each keeps a core busy. Others wait."""
CHUNK_BYTES = 256 << 10


def rejections_route() -> Route:
    """Return the route. GET and HEAD; the latter writes no report."""
    places = asyncio.Semaphore(MAX_AT_ONCE)

    async def download(request: Request) -> Response:
        try:
            admission: Admission = request.state.admission
            identity, fields = await admission.admit(request.scope, dict(request.scope["headers"]))
        except BadRequest as refused:
            return refused.to_response()
        response = await _answer(request, identity.caller, places)
        response.raw_headers.extend(fields)
        return response

    return Route("/batches/{id}/rejections.csv", download, methods=["GET"])


async def _answer(request: Request, caller: Caller, places: asyncio.Semaphore) -> Response:
    """Return the report, or what is told instead; whoever can have no batch is told so at once."""
    try:
        admit(caller, UPLOADING)
        return await _download(request, caller, places)
    except BadRequest as refused:
        return refused.to_response()
    except NotAdmitted as error:
        return not_admitted(error).to_response()
    except DatabaseError as error:
        return unavailable(error).to_response()


async def _download(request: Request, caller: Caller, places: asyncio.Semaphore) -> Response:
    batch_id = parse_batch_id(request.path_params["id"])
    pool: Pool = request.state.shared.pool
    found = [] if batch_id is None else await pool.read(lambda connection: batches.get_batches(connection, [batch_id]))
    if batch_id is None or not found or not caller.sees(found[0].uploader):
        raise BadRequest("UNKNOWN_BATCH", "There is no such batch.", status=404)
    if not found[0].status.has_ended:
        message = f"The batch is {found[0].status.value}: its rejections are known when it has ended."
        raise BadRequest("BATCH_NOT_ENDED", message, status=409)
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="batch-{batch_id}-rejections.csv"',
        "Cache-Control": "private, no-cache",
    }
    if request.method == "HEAD":
        return StreamingResponse(_nothing(), headers=headers)
    async with places:
        file = await _write_report(request, batch_id)
    headers["Content-Length"] = str(file.seek(0, 2))
    file.seek(0)
    return StreamingResponse(_read(file), headers=headers)


async def _write_report(request: Request, batch_id: int) -> BinaryIO:
    """Return the report in a file of its own, which is gone when it is closed. Stop early when nobody waits any more."""
    file = TemporaryFile(prefix="ratesgraph-")  # noqa: SIM115
    try:
        async with aclosing(await report_rejections(request.state.ingest_pool, batch_id)) as chunks:
            async for chunk in chunks:
                if await request.is_disconnected():
                    break
                await asyncio.to_thread(file.write, chunk)
    except BaseException:
        file.close()
        raise
    return file


async def _read(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
