"""Reads one small document over HTTP, within limits of time and size, and says in words why it could not.

No message shows more of a URL than host and port: credentials may stand in the rest. Neither are headers shown, nor what
the other side says, which may repeat them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx

from ingest.errors import RatesUnavailable

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
"""Seconds to connect, and to wait for each next piece."""
MAX_SECONDS = 60.0
"""For a whole document: whoever sends byte by byte never runs into the other limits."""


@asynccontextmanager
async def open_client(headers: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that sends the headers, follows no redirect and uses the proxy that the environment names."""
    try:
        # Nothing is unpacked on the way: that could be a thousand times what was sent.
        client = httpx.AsyncClient(headers={"Accept-Encoding": "identity", **headers}, timeout=TIMEOUT)
    except (ValueError, ImportError) as error:
        message = "the environment names a proxy that cannot be used: see HTTPS_PROXY and ALL_PROXY"
        raise RatesUnavailable("RATES_UNREACHABLE", message) from error
    async with client:
        yield client


async def download(client: httpx.AsyncClient, url: str, *, max_bytes: int) -> bytes:
    """Return what the URL answers with status 200. Raise RatesUnavailable (RATES_UNREACHABLE, RATES_REFUSED)."""
    place = "the source of rates"
    try:
        place = httpx.URL(url).netloc.decode() or place
        async with asyncio.timeout(MAX_SECONDS), client.stream("GET", url) as response:
            _check_status(response.status_code, place)
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > max_bytes:
                    message = f"{place} sends more than {max_bytes:,} bytes, which no answer about rates has"
                    raise RatesUnavailable("RATES_REFUSED", message)
            return bytes(body)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise RatesUnavailable("RATES_UNREACHABLE", f"{place} does not answer in time: try again later") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        message = "the address to read rates from is not a URL that begins with http:// or https://"
        raise RatesUnavailable("RATES_UNREACHABLE", message) from error
    except httpx.HTTPError as error:
        # Only what the network says of a connection is told: other messages may quote what was sent.
        reason = f" ({error})" if isinstance(error, httpx.ConnectError) else ""
        message = f"{place} cannot be reached{reason}: try again when the network is there"
        raise RatesUnavailable("RATES_UNREACHABLE", message) from error


def _check_status(status: int, source: str) -> None:
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.UNAUTHORIZED:
        reason = "it does not accept the key, see RATESGRAPH_OPENEXCHANGERATES_APP_ID"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        reason = "it was asked too often, try again later"
    else:
        reason = "rates come with 200"
    raise RatesUnavailable("RATES_REFUSED", f"{source} answers with HTTP status {status}: {reason}")
