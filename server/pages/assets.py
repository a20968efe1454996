"""`GET /assets/{name}`: scripts, styles and fonts of the pages.

The build names each file after its content and compresses it. So browsers may store a file for ever, and the server only
chooses the encoding. Only files that existed at the start are served, by their exact name: a path cannot lead elsewhere.
"""

import asyncio
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.http.content_negotiation import parse_accept_encoding
from server.http.errors import not_found
from server.http.request_headers import matches_etag, parse_headers

YEAR_SECONDS = 31_536_000
SUFFIXES = {"br": ".br", "gzip": ".gz", "identity": ""}
"""Suffix of the files of each content coding, the smallest first."""
CONTENT_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
"""Independent of the machine's own table; `.js` is registered as text/javascript (RFC 9239)."""


def assets_route(folder: Path) -> Route:
    """Return the route of the assets for GET and HEAD."""
    encodings = _find_encodings(folder)

    async def serve_asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in encodings:
            return not_found().to_response()
        sent = parse_headers(request.scope["headers"])
        accepted = parse_accept_encoding(sent.get(b"accept-encoding", b"")) | {"identity"}
        encoding = next(coding for coding in encodings[name] if coding in accepted)
        etag = f'"{name}-{encoding}"'
        headers = {
            "Cache-Control": f"public, max-age={YEAR_SECONDS}, immutable",
            "Cross-Origin-Resource-Policy": "same-origin",
            "ETag": etag,
            "Vary": "Accept-Encoding",
        }
        if matches_etag(sent.get(b"if-none-match", b""), etag):
            return Response(status_code=304, headers=headers)
        try:
            content = await asyncio.to_thread((folder / f"{name}{SUFFIXES[encoding]}").read_bytes)
        except OSError:
            # The pages were rebuilt after the server started.
            return not_found().to_response()
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        return Response(content, headers=headers, media_type=_content_type(name))

    return Route("/assets/{name}", serve_asset, methods=["GET"])


def _find_encodings(folder: Path) -> dict[str, list[str]]:
    """Return the content codings that exist of each asset, the smallest first."""
    names = {path.name for path in folder.glob("*")}
    assets = [name for name in names if not name.endswith((".br", ".gz"))]
    return {name: [coding for coding, suffix in SUFFIXES.items() if f"{name}{suffix}" in names] for name in assets}


def _content_type(name: str) -> str:
    suffix = Path(name).suffix
    return CONTENT_TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
