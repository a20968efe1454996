"""CSRF protection and CORS: rejects requests that pages of other sites made a browser send.

A page can send requests through links, images and forms, with the credentials that the browser adds. It cannot read the
response, but the server would execute the mutation or the costly query. Such a request cannot have a JSON body, a custom header
or an Accept header that names JSON. Newer browsers state its origin in `Sec-Fetch-Site` and `Sec-Fetch-Mode` (Fetch Metadata).
"""

from collections.abc import Mapping

from starlette.datastructures import Headers as RequestHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp
from strawberry.http.websocket_origin import normalize_allowed_origins

from server.http.errors import HttpError

PREFLIGHT_HEADERS = (
    b"graphql-require-preflight",
    b"apollo-require-preflight",
    b"x-apollo-operation-name",
    b"x-requested-with",
)
"""Custom headers: a cross-site page can send them only after a CORS preflight."""
SAFE_SITES = {b"same-origin", b"none"}
"""Sec-Fetch-Site of the server's own pages and of typed addresses."""
SCRIPT_MODES = {b"cors", b"same-origin"}
"""Sec-Fetch-Mode values of requests from scripts.

`OriginPolicy` already rejects scripts of other sites by Sec-Fetch-Site.
"""
CORS_HEADERS = [
    "Content-Type",
    "Authorization",
    "If-None-Match",
    "Cache-Control",
    "Pragma",
    "GraphQL-Cost",
    "Ratesgraph-Version",
    "GraphQL-Require-Preflight",
    "Apollo-Require-Preflight",
    "X-Apollo-Operation-Name",
    "Apollographql-Client-Name",
    "Apollographql-Client-Version",
    "Last-Event-ID",
    "X-Request-Id",
    "X-Requested-With",
    "Traceparent",
    "Tracestate",
    "Baggage",
    "Sentry-Trace",
]
"""Headers that pages of allowed origins may send.

Those of the API, those that libraries for HTTP, GraphQL and event streams add, and those of tracing: W3C Trace Context, W3C
Baggage and Sentry.
"""
EXPOSED_HEADERS = [
    "Allow",
    "Cache-Status",
    "Content-Disposition",
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Ratesgraph-Version",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
]
"""Headers of responses that these pages may read, in addition to the safelisted ones."""

BODY_HEADERS = {b"content-length", b"content-type"}

Headers = Mapping[bytes, bytes]


class OriginPolicy:
    """Allowed origins of cross-site pages: none, some, or all (`*`).

    It also holds the additional headers that these pages may send.
    """

    def __init__(self, origins: str | None, request_headers: str | None = None) -> None:
        # As browsers send them, and as the view of WebSockets compares them.
        self.allowed = sorted(normalize_allowed_origins(_parse_list(origins)))
        self._request_headers = _parse_list(request_headers)

    def check(self, headers: Headers) -> None:
        """Raise HttpError (CROSS_SITE_REFUSED) for a page whose origin is not allowed."""
        if headers.get(b"sec-fetch-site") != b"cross-site" or "*" in self.allowed:
            return
        if headers.get(b"origin", b"").decode("latin-1") not in self.allowed:
            raise cross_site_refused()

    def wrap_with_cors(self, app: ASGIApp) -> ASGIApp:
        """Return the application wrapped with CORS headers for the allowed origins, if any."""
        if not self.allowed:
            return app
        return JsonCorsMiddleware(
            app,
            allow_origins=self.allowed,
            allow_methods=["GET", "POST"],
            allow_headers=[*CORS_HEADERS, *self._request_headers],
            expose_headers=EXPOSED_HEADERS,
            max_age=3_600,
        )


def cross_site_refused() -> HttpError:
    """Return the error for a page of an origin that is not allowed."""
    message = "Cross-site request refused: the page's origin is not in RATESGRAPH_CORS_ORIGINS."
    return HttpError("CROSS_SITE_REFUSED", message, status=403)


class JsonCorsMiddleware(CORSMiddleware):
    """Starlette's CORS middleware with GraphQL errors in JSON for rejected preflights."""

    def preflight_response(self, request_headers: RequestHeaders) -> Response:
        """Return the response to a CORS preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        # Starlette's text names the rejected parts: origin, method, headers.
        rejected = bytes(response.body).decode().removeprefix("Disallowed CORS ")
        message = f"CORS preflight refused: {rejected} not allowed."
        headers = {name: value for name, value in response.raw_headers if name not in BODY_HEADERS}
        return HttpError("CORS_REFUSED", message, status=response.status_code, headers=headers).to_response()


def _parse_list(setting: str | None) -> list[str]:
    """Return the entries of a setting, separated by spaces or commas."""
    return (setting or "").replace(",", " ").split()


def require_csrf_header(headers: Headers) -> None:
    """Raise HttpError (PREFLIGHT_REQUIRED) for a form that any web page could have sent."""
    if not has_csrf_header(headers):
        message = "CSRF protection: multipart requests need a custom header such as GraphQL-Require-Preflight: 1."
        raise HttpError("PREFLIGHT_REQUIRED", message, status=403)


def require_csrf_safe_get(headers: Headers, *, names_format: bool) -> None:
    """Raise HttpError (PREFLIGHT_REQUIRED) for a GET query that a link or image could send.

    `names_format` says whether the Accept header names a format of GraphQL responses.
    """
    if names_format or has_csrf_header(headers):
        return
    if headers.get(b"sec-fetch-site") in SAFE_SITES or headers.get(b"sec-fetch-mode") in SCRIPT_MODES:
        return
    message = (
        "CSRF protection: GET queries need Accept: application/json or a header such as GraphQL-Require-Preflight: 1."
    )
    raise HttpError("PREFLIGHT_REQUIRED", message, status=403)


def has_csrf_header(headers: Headers) -> bool:
    """Return whether the request has a custom header, which requires a CORS preflight."""
    return b"graphql-cost" in headers or any(headers.get(name, b"").strip() for name in PREFLIGHT_HEADERS)
