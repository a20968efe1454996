"""`GET /series.{csv,parquet,arrow}`: price series as a file.

The parameters are the arguments of `priceSeries`.

The request is executed as a GraphQL operation. So its scopes, cost, limits and errors are those of the endpoint.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from graph.execution.executable_schema import OperationResult, Schema
from resolvers.context import RequestContext
from server.auth.access_control import AccessControl
from server.downloads.series_files import CONTENT_TYPES, encode_binary, encode_csv
from server.downloads.series_request import SeriesRequest, parse_series_request
from server.graphql_api.consistency_tokens import VERSION_HEADER, ConsistencyTokens
from server.graphql_api.response_cache import ResponseCache
from server.http.content_negotiation import accepts_gzip
from server.http.errors import HttpError, http_error_for_outcome
from server.http.request_headers import parse_headers
from server.http.streamed_files import gzip_chunks, iterate_in_thread
from server.routes.guarded import guarded

SERVER_ERRORS = {"INTERNAL_ERROR": 500, "TOTALS_DAMAGED": 500, "STATEMENT_TIMEOUT": 504}
"""Statuses of errors for which the request is not to blame, in addition to those that concern every whole response."""


def series_route(schema: Schema, *, reads_are_open: bool) -> Route:
    """Return the route for GET and HEAD."""
    varies = "Ratesgraph-Version, Accept-Encoding"
    vary = {"Vary": varies if reads_are_open else f"{varies}, Authorization"}

    @guarded
    async def download(request: Request) -> Response:
        access_control: AccessControl = request.state.access_control
        identity, rate_limit_headers = await access_control.authorize(
            request.scope, parse_headers(request.scope["headers"])
        )
        context = RequestContext(request.state.app_context, identity.caller)
        response = await _handle(request, schema, context)
        response.headers.update(vary)
        response.raw_headers.extend(rate_limit_headers)
        return response

    return Route("/series.{format}", download, methods=["GET"])


@guarded
async def _handle(request: Request, schema: Schema, context: RequestContext) -> Response:
    """Return the file, or status 304 for a client that has it already."""
    file_format = request.path_params["format"]
    if file_format not in CONTENT_TYPES:
        message = f"Unknown format; download /series.{' or /series.'.join(CONTENT_TYPES)}."
        raise HttpError("NOT_FOUND", message, status=404)
    if (token := request.headers.get(VERSION_HEADER.decode())) is not None:
        tokens: ConsistencyTokens = request.state.consistency_tokens
        context.reads_primary = not await tokens.has_received(token.encode("latin-1"))
    query_string = request.scope["query_string"]
    series_request = parse_series_request(query_string)
    cache: ResponseCache = request.state.response_cache
    etag = (
        cache.etag((f"GET series.{file_format}", query_string))
        if context.caller.can_read and not context.reads_primary
        else None
    )
    headers = {"Cache-Control": "private, no-cache"} | ({"ETag": etag.decode()} if etag else {})
    if etag and etag.decode() in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    series = await execute_series(schema, series_request, context)
    headers |= {
        "Content-Type": CONTENT_TYPES[file_format],
        "Content-Disposition": f'attachment; filename="series.{file_format}"',
    }
    if file_format == "csv":
        chunks = encode_csv(series_request, series)
        if accepts_gzip(parse_headers(request.scope["headers"]).get(b"accept-encoding", b"")):
            headers["Content-Encoding"] = "gzip"
            chunks = gzip_chunks(chunks)
        return StreamingResponse(iterate_in_thread(chunks), headers=headers)
    body = await asyncio.to_thread(encode_binary, file_format, series_request, series)
    return Response(body, headers=headers)


async def execute_series(schema: Schema, request: SeriesRequest, context: RequestContext) -> dict[str, Any]:
    """Return the data of the request's `priceSeries`.

    Raise HttpError if there is any error, because a file has no room for errors.
    """
    result = await schema.execute_operation(request.document, request.variables, None, context, only_queries=True)
    series: dict[str, Any] = _check(result)["priceSeries"]
    return series


def _check(result: OperationResult) -> dict[str, Any]:
    if not result.errors and result.data is not None:
        return result.data
    if (http_error := http_error_for_outcome(result)) is not None:
        raise http_error
    first = result.errors[0]
    details = dict(first.get("extensions") or {})
    code = str(details.pop("code", "BAD_USER_INPUT"))
    raise HttpError(code, first["message"], status=SERVER_ERRORS.get(code, 400), details=details)
