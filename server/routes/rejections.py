"""`GET /batches/{id}/rejections.csv`: the rejections of a batch as a download.

The report is written to a temporary file before the response starts. A slow client therefore holds only an unlinked file, and
neither a database connection nor one of the few report slots. Failures can still be reported by a status code. The number of
files is bounded, and a client that does not read loses its connection (`server.runtime.slow_readers`).
"""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from tempfile import TemporaryFile
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from db.pool import Pool
from db.repositories import batches
from graph.authorization import UPLOAD_SCOPES, require_scopes
from resolvers.errors import UNKNOWN_BATCH_MESSAGE
from resolvers.relay.global_ids import parse_batch_id
from server.auth.access_control import AccessControl
from server.auth.identity import Identity
from server.http.content_negotiation import accepts_gzip
from server.http.errors import HttpError
from server.http.request_headers import parse_headers
from server.http.streamed_files import GZIP_LEVEL
from server.ingest_adapter import explain_waits, report_rejections
from server.rate_limiting.stream_limiter import StreamLimiter
from server.routes.guarded import guarded

MAX_CONCURRENT_REPORTS = 2
"""Maximum number of reports that a process writes at a time.

Each uses a whole core, so further requests wait.
"""
MAX_DOWNLOADS, MAX_CALLER_DOWNLOADS = 20, 5
"""Maximum number of open downloads of a process, in total and per caller.

Each holds its report on disk, some 300 bytes per rejection, until the client has read it.
"""
CHUNK_BYTES = 256 << 10


class DownloadResponse(StreamingResponse):
    """Streaming response that releases its resources when it ends, however it ends."""

    def __init__(self, content: AsyncIterator[bytes], headers: dict[str, str], resources: ExitStack) -> None:
        super().__init__(content, headers=headers)
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        with self._resources:
            await super().__call__(scope, receive, send)


def rejections_route() -> Route:
    """Return the route for GET and HEAD. HEAD requests do not write a report."""
    report_slots = asyncio.Semaphore(MAX_CONCURRENT_REPORTS)
    limiter = StreamLimiter(MAX_DOWNLOADS, MAX_CALLER_DOWNLOADS)

    @guarded
    async def download(request: Request) -> Response:
        access_control: AccessControl = request.state.access_control
        identity, rate_limit_headers = await access_control.authorize(
            request.scope, parse_headers(request.scope["headers"])
        )
        response = await _handle(request, identity, report_slots, limiter)
        response.raw_headers.extend(rate_limit_headers)
        return response

    return Route("/batches/{id}/rejections.csv", download, methods=["GET"])


@guarded
async def _handle(
    request: Request, identity: Identity, report_slots: asyncio.Semaphore, limiter: StreamLimiter
) -> Response:
    """Return the report. Callers without the upload scope are refused before any lookup."""
    caller = identity.caller
    require_scopes(caller, UPLOAD_SCOPES)
    batch_id = parse_batch_id(request.path_params["id"])
    pool: Pool = request.state.app_context.pool
    found = [] if batch_id is None else await pool.read(lambda connection: batches.get_batches(connection, [batch_id]))
    if batch_id is None or not found or not caller.can_see(found[0].uploader):
        raise HttpError("UNKNOWN_BATCH", f"{UNKNOWN_BATCH_MESSAGE.capitalize()}.", status=404)
    if not found[0].status.has_ended:
        message = f"Batch status is {found[0].status.value}; the report is available once it has finished."
        raise HttpError("BATCH_NOT_ENDED", message, status=409)
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="batch-{batch_id}-rejections.csv"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding, Authorization",
    }
    is_compressed = accepts_gzip(parse_headers(request.scope["headers"]).get(b"accept-encoding", b""))
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
    if request.method == "HEAD":
        return StreamingResponse(_empty_body(), headers=headers)
    access_control: AccessControl = request.state.access_control
    with ExitStack() as resources:
        resources.enter_context(limiter.acquire(access_control.stream_owner(request.scope, identity)))
        async with report_slots:
            file = resources.enter_context(await _write_report(request, batch_id, is_compressed=is_compressed))
        headers["Content-Length"] = str(file.seek(0, 2))
        file.seek(0)
        return DownloadResponse(_read_chunks(file), headers, resources.pop_all())


async def _write_report(request: Request, batch_id: int, *, is_compressed: bool) -> BinaryIO:
    """Return the report in a temporary file.

    Stop early if the client disconnects.
    """
    file = TemporaryFile(prefix="ratesgraph-")  # noqa: SIM115
    sink = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) if is_compressed else file
    try:
        async with (
            explain_waits(request.state.app_context.pool),
            aclosing(await report_rejections(request.state.ingest_pool, batch_id)) as chunks,
        ):
            async for chunk in chunks:
                if await request.is_disconnected():
                    break
                await asyncio.to_thread(sink.write, chunk)
        if sink is not file:
            # Its end; the file stays open.
            sink.close()
    except BaseException:
        file.close()
        raise
    return file


async def _read_chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk


async def _empty_body() -> AsyncIterator[bytes]:
    return
    yield b""
