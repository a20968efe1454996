"""Which requests a page of another site may have made a browser send. Those are refused.

A page can have a link, an image or a form send a request, with whatever the browser adds to it; it cannot read the answer, but
a mutation would be done, and a costly query executed. What such a request cannot have is a body of JSON, a header of its own,
or an Accept that names JSON. Newer browsers tell in `Sec-Fetch-Site` and `Sec-Fetch-Mode` where a request comes from.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers as RequestHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from server.http.errors import HttpError

PREFLIGHT_HEADERS = (
    b"graphql-require-preflight",
    b"apollo-require-preflight",
    b"x-apollo-operation-name",
    b"x-requested-with",
)
"""A browser asks the server first (CORS preflight) whether a page of another site may send any of these."""
OWN_SITES = {b"same-origin", b"none"}
"""Sec-Fetch-Site of our own pages, and of addresses that somebody typed."""
SCRIPTS = {b"cors", b"same-origin"}
"""Sec-Fetch-Mode of scripts; together with Sec-Fetch-Site, which tells the foreign ones."""
CORS_HEADERS = [
    "Content-Type",
    "Authorization",
    "If-None-Match",
    "GraphQL-Cost",
    "GraphQL-Require-Preflight",
    "Apollo-Require-Preflight",
    "X-Apollo-Operation-Name",
    "X-Request-Id",
    "X-Requested-With",
]

BODY_HEADERS = {b"content-length", b"content-type"}

Headers = Mapping[bytes, bytes]


class OriginPolicy:
    """The origins whose pages may ask, beside our own: none, some, or all (`*`)."""

    def __init__(self, setting: str | None) -> None:
        self.allowed = (setting or "").replace(",", " ").split()

    def check(self, headers: Headers) -> None:
        """Raise BadRequest (CROSS_SITE_REFUSED) for a request that a foreign page has sent."""
        if headers.get(b"sec-fetch-site") != b"cross-site" or "*" in self.allowed:
            return
        if headers.get(b"origin", b"").decode("latin-1") not in self.allowed:
            message = "Pages of other sites may not ask here, unless the server's settings name their origin."
            raise HttpError("CROSS_SITE_REFUSED", message, status=403)

    def wrap_with_cors(self, app: ASGIApp) -> ASGIApp:
        """Return the application, with what lets browsers show its answers to pages of the allowed origins, if any."""
        if not self.allowed:
            return app
        return JsonCorsMiddleware(
            app,
            allow_origins=self.allowed,
            allow_methods=["GET", "POST"],
            allow_headers=CORS_HEADERS,
            expose_headers=["ETag", "Cache-Status", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"],
            max_age=3_600,
        )


class JsonCorsMiddleware(CORSMiddleware):
    """Starlette's CORS, whose refusals are JSON with a code, as all of ours are."""

    def preflight_response(self, request_headers: RequestHeaders) -> Response:
        """Return what a browser is told before it sends a request for a page of another origin."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        # The words name what is not allowed: origin, method, headers.
        what = bytes(response.body).decode().removeprefix("Disallowed CORS ")
        message = f"Pages of other sites may not send this; the settings of the server do not allow the {what}."
        kept = {name: value for name, value in response.raw_headers if name not in BODY_HEADERS}
        return HttpError("CORS_REFUSED", message, status=response.status_code, headers=kept).to_response()


def require_csrf_header(headers: Headers) -> None:
    """Raise BadRequest (PREFLIGHT_REQUIRED) for a form that any web page could have sent."""
    if not has_csrf_header(headers):
        message = "A form needs a header that no foreign web page can send, such as GraphQL-Require-Preflight: 1."
        raise HttpError("PREFLIGHT_REQUIRED", message, status=403)


def require_csrf_safe_get(headers: Headers, *, names_json: bool) -> None:
    """Raise BadRequest (PREFLIGHT_REQUIRED) for a query in an address that a link or an image could have sent."""
    if names_json or has_csrf_header(headers):
        return
    if headers.get(b"sec-fetch-site") in OWN_SITES or headers.get(b"sec-fetch-mode") in SCRIPTS:
        return
    message = "A query in an address needs Accept: application/json, or a header such as GraphQL-Require-Preflight: 1."
    raise HttpError("PREFLIGHT_REQUIRED", message, status=403)


def has_csrf_header(headers: Headers) -> bool:
    """Return whether the request has a header that no foreign page can send unasked."""
    return b"graphql-cost" in headers or any(headers.get(name, b"").strip() for name in PREFLIGHT_HEADERS)
