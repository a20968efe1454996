"""GraphiQL page and its security headers: a strict Content-Security-Policy (CSP).

The page has one inline script, which the policy allows by its hash. All other resources come from the server itself or, in
development, from GraphiQL's CDN.
"""

import base64
import hashlib
import re

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp
from strawberry.http.ides import get_graphql_ide_html

INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
CDN = "https://unpkg.com"
"""Source of the scripts of the stock GraphiQL page.

The browser verifies each script against its hash.
"""


def create_graphiql(*, from_cdn: bool) -> ASGIApp:
    """Return the application that serves the GraphiQL page, which is rendered once."""
    html = get_graphql_ide_html("graphiql")
    return HTMLResponse(html, headers=page_headers(html, from_cdn=from_cdn))


def page_headers(html: str, *, from_cdn: bool) -> dict[str, str]:
    """Return the security headers of an HTML page."""
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
