"""Download of one small document over HTTP, limited in time and size, with readable errors.

Messages show only host and port of a URL, because the rest may contain credentials. They show neither headers nor the body of
the response, which may repeat them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx

from ingest.errors import RatesUnavailable

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
"""Seconds to connect, and to wait for each chunk."""
MAX_SECONDS = 60.0
"""Deadline for a whole document.

A source that sends byte by byte never exceeds the other limits.
"""


@asynccontextmanager
async def open_client(headers: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the headers and the environment's proxy; it follows no redirects."""
    try:
        # No content encoding: a decompressed body could be a thousand times the size of the response.
        client = httpx.AsyncClient(headers={"Accept-Encoding": "identity", **headers}, timeout=TIMEOUT)
    except (ValueError, ImportError) as error:
        message = "invalid proxy in the environment; check HTTPS_PROXY and ALL_PROXY"
        raise RatesUnavailable("RATES_UNREACHABLE", message) from error
    async with client:
        yield client


async def download(client: httpx.AsyncClient, url: str, *, max_bytes: int) -> bytes:
    """Return the body of a response with status 200.

    Raise RatesUnavailable (RATES_UNREACHABLE, RATES_REFUSED).
    """
    source = "the source of exchange rates"
    try:
        source = httpx.URL(url).netloc.decode() or source
        async with asyncio.timeout(MAX_SECONDS), client.stream("GET", url) as response:
            _check_status(response.status_code, source)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > max_bytes:
                    message = f"response from {source} exceeds {max_bytes:,} bytes; check the URL of the source"
                    raise RatesUnavailable("RATES_REFUSED", message)
            return bytes(body)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise RatesUnavailable("RATES_UNREACHABLE", f"{source} does not answer in time; try again later") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        message = "the URL of the exchange-rate source must begin with http:// or https://"
        raise RatesUnavailable("RATES_UNREACHABLE", message) from error
    except httpx.HTTPError as error:
        # Only connection errors are quoted, because other messages may repeat what was sent.
        reason = f" ({error})" if isinstance(error, httpx.ConnectError) else ""
        message = f"{source} cannot be reached{reason}; check the network and try again"
        raise RatesUnavailable("RATES_UNREACHABLE", message) from error


def _check_status(status: int, source: str) -> None:
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.UNAUTHORIZED:
        reason = "the API key was rejected, check RATESGRAPH_OPENEXCHANGERATES_APP_ID"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        reason = "rate limited by the source, try again later"
    else:
        reason = "expected status 200, check the URL of the source or try again later"
    raise RatesUnavailable("RATES_REFUSED", f"{source} responded with HTTP status {status}: {reason}")
