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
from graph.execution.authorization import UPLOAD_SCOPES, PermissionDenied, require_scopes
from resolvers.caller import Caller
from resolvers.uploads.batches import parse_batch_id
from server.auth.access_control import AccessControl
from server.http.errors import HttpError, forbidden, unavailable
from server.ingest_adapter import report_rejections

MAX_CONCURRENT_REPORTS = 2
"""Reports that a process writes at once: each keeps a core busy. Others wait."""
CHUNK_BYTES = 256 << 10


def rejections_route() -> Route:
    """Return the route. GET and HEAD; the latter writes no report."""
    places = asyncio.Semaphore(MAX_CONCURRENT_REPORTS)

    async def download(request: Request) -> Response:
        try:
            admission: AccessControl = request.state.access_control
            identity, fields = await admission.authorize(request.scope, dict(request.scope["headers"]))
        except HttpError as refused:
            return refused.to_response()
        response = await _handle(request, identity.caller, places)
        response.raw_headers.extend(fields)
        return response

    return Route("/batches/{id}/rejections.csv", download, methods=["GET"])


async def _handle(request: Request, caller: Caller, report_slots: asyncio.Semaphore) -> Response:
    """Return the report, or what is told instead; whoever can have no batch is told so at once."""
    try:
        require_scopes(caller, UPLOAD_SCOPES)
        return await _download(request, caller, report_slots)
    except HttpError as refused:
        return refused.to_response()
    except PermissionDenied as error:
        return forbidden(error).to_response()
    except DatabaseError as error:
        return unavailable(error).to_response()


async def _download(request: Request, caller: Caller, report_slots: asyncio.Semaphore) -> Response:
    batch_id = parse_batch_id(request.path_params["id"])
    pool: Pool = request.state.app_context.pool
    found = [] if batch_id is None else await pool.read(lambda connection: batches.get_batches(connection, [batch_id]))
    if batch_id is None or not found or not caller.can_see(found[0].uploader):
        raise HttpError("UNKNOWN_BATCH", "There is no such batch.", status=404)
    if not found[0].status.has_ended:
        message = f"The batch is {found[0].status.value}: its rejections are known when it has ended."
        raise HttpError("BATCH_NOT_ENDED", message, status=409)
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="batch-{batch_id}-rejections.csv"',
        "Cache-Control": "private, no-cache",
    }
    if request.method == "HEAD":
        return StreamingResponse(_empty_body(), headers=headers)
    async with report_slots:
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


async def _empty_body() -> AsyncIterator[bytes]:
    return
    yield b""
