"""One HTML page: its text, its Content-Security-Policy (CSP) and its validator."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.http.request_headers import matches_etag, parse_headers

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""Policy of the pages: everything comes from this server, and nothing is inline."""
GRAPHIQL_POLICY = POLICY | {
    # Its editor, Monaco, sets styles on elements and inserts style sheets, and checks the text in workers.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "worker-src": "'self'",
}
SECURITY_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class Page:
    """ASGI application that serves one HTML page, which browsers revalidate at each visit."""

    def __init__(self, html: str, policy: dict[str, str], *, vary: str | None = None) -> None:
        self._body = html.encode()
        self._etag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
        self._headers = SECURITY_HEADERS | {
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "Cache-Control": "private, no-cache",
            "ETag": self._etag,
        }
        if vary:
            self._headers["Vary"] = vary

    async def respond(self, request: Request) -> Response:
        """Return the page, or status 304 to a browser that has it."""
        if matches_etag(parse_headers(request.scope["headers"]).get(b"if-none-match", b""), self._etag):
            return Response(status_code=304, headers=self._headers)
        return Response(self._body, headers=self._headers, media_type="text/html")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the page."""
        response = await self.respond(Request(scope))
        await response(scope, receive, send)
