"""uvicorn options shared by the single server and the supervised ones."""

from typing import Any

from server.runtime.http_protocol import LimitedHttpProtocol
from server.runtime.websocket_protocol import MAX_WEBSOCKET_MESSAGE_BYTES, WebSocketProtocol


def uvicorn_options(trusted_proxies: str | None) -> dict[str, Any]:
    """Return the uvicorn options shared by the single server and the supervised ones."""
    return {
        "http": LimitedHttpProtocol,
        "ws": WebSocketProtocol,
        "ws_max_size": MAX_WEBSOCKET_MESSAGE_BYTES,
        "server_header": False,
        "headers": [("X-Content-Type-Options", "nosniff")],
        # The client address is read from proxy headers only if the settings name a proxy.
        "proxy_headers": bool(trusted_proxies),
        "forwarded_allow_ips": trusted_proxies or "",
    }
