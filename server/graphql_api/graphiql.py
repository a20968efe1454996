"""What browsers may do with the pages that we serve: as little as they need.

Scripts are ours or none. The page of GraphiQL has one inline script, which is allowed by its digest. What it loads comes from
the server itself, or in development from the network that GraphiQL is delivered by.
"""

import base64
import hashlib
import re

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp
from strawberry.http.ides import get_graphql_ide_html

INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
CDN = "https://unpkg.com"
"""Where the stock page of GraphiQL loads its scripts from, each checked against its digest by the browser."""


def create_graphiql(*, from_cdn: bool) -> ASGIApp:
    """Return what answers with the page of GraphiQL, which is the same each time."""
    html = get_graphql_ide_html("graphiql")
    return HTMLResponse(html, headers=page_headers(html, from_cdn=from_cdn))


def page_headers(html: str, *, from_cdn: bool) -> dict[str, str]:
    """Return the headers of a page."""
    source = CDN if from_cdn else "'self'"
    policy = {
        "default-src": "'none'",
        "script-src": " ".join([source, *(f"'sha256-{_csp_hash(script)}'" for script in INLINE_SCRIPT.findall(html))]),
        # The editor sets styles on elements.
        "style-src": f"{source} 'unsafe-inline'",
        "font-src": f"{source} data:",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cache-Control": "private, no-store",
    }


def _csp_hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
