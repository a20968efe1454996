"""A Ratesgraph server over HTTP, as the commands ask it. What goes wrong becomes one line, and what may pass is tried again.

Everything that is asked here can be asked twice: questions change nothing, and uploads carry an idempotency key.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import httpx
import orjson

from server.cli.console import CommandError
from server.config.network import is_loopback

RETRY_DEADLINE_SECONDS = 300.0
"""How long a server that has answered before may be away: longer than any restart."""
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=120.0)
"""A large file is answered when it is stored: half a gigabyte takes some seconds."""
RETRYABLE_STATUSES = {429, 502, 503, 504}
RETRYABLE_CODES = {"DATABASE_UNAVAILABLE", "SERVER_BUSY", "STATEMENT_TIMEOUT"}

Json = dict[str, Any]


class UploadRejected(CommandError):
    """The server does not take this file; it may take others."""


class _TransientError(Exception):
    """What was asked may succeed a little later."""


@contextmanager
def open_client(url: str, token: str | None, *, insecure: bool) -> Iterator["ApiClient"]:
    """Yield the endpoint at the URL. Raise CommandError for a URL or a token that cannot be used."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        raise CommandError("--url must be like http://127.0.0.1:8000/graphql, without a user.")
    headers = {"GraphQL-Require-Preflight": "1"}
    if token:
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise CommandError("The token holds characters that no token has.")
        if parsed.scheme == "http" and not is_loopback(parsed.host) and not insecure:
            raise CommandError(f"{parsed} would show the token to everyone on the way: use https, or --insecure.")
        headers["Authorization"] = f"Bearer {token}"
    # A proxy is for the way out, not for one's own machine.
    with httpx.Client(headers=headers, timeout=TIMEOUT, trust_env=not is_loopback(parsed.host)) as http:
        yield ApiClient(http, parsed)


class ApiClient:
    """Answers questions and takes files; waits for a server that goes away once it has been seen."""

    def __init__(self, http: httpx.Client, url: httpx.URL) -> None:
        self._http = http
        self._url = url
        self._was_reached = False

    def query(self, query: str, **variables: object) -> Json:
        """Return the data of an answer without errors. Raise CommandError."""
        return self._post_with_retry(lambda: self._http.post(self._url, json={"query": query, "variables": variables}))

    def upload(self, query: str, file: BinaryIO, name: str, **variables: object) -> Json:
        """Return the data of the answer to an operation with the variable `$file`. Raise FileRefused or CommandError."""
        operations = orjson.dumps({"query": query, "variables": {**variables, "file": None}})
        return self._post_with_retry(
            lambda: self._http.post(
                self._url,
                data={"operations": operations, "map": b'{"0": ["variables.file"]}'},
                files={"0": (name, file, "application/octet-stream")},
            )
        )

    def _post_with_retry(self, post: Callable[[], httpx.Response]) -> Json:
        """Ask until there is an answer, or nobody has answered for too long."""
        deadline = None
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                data = self._parse_response(post())
            except httpx.LocalProtocolError as error:
                raise UploadRejected("the file changed while it was sent: run the command again.") from error
            except (httpx.TransportError, _TransientError) as error:
                deadline = deadline or time.monotonic() + RETRY_DEADLINE_SECONDS
                if not self._was_reached or time.monotonic() > deadline:
                    reason = str(error) or type(error).__name__
                    raise CommandError(f"{self._url} does not answer: {reason}. Is the server running?") from error
            else:
                self._was_reached = True
                return data
            time.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _parse_response(self, response: httpx.Response) -> Json:
        """Return the data of an answer, or raise what it says instead."""
        try:
            answer = response.json()
        except ValueError:
            answer = None
        errors = answer.get("errors") if isinstance(answer, dict) else None
        code, message = _first_error(errors)
        status = response.status_code
        if status in RETRYABLE_STATUSES or code in RETRYABLE_CODES:
            raise _TransientError(message or f"HTTP {status}")
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise UploadRejected(message or "the server, or a proxy before it, takes no file as large as that.")
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN} or code in {"UNAUTHENTICATED", "FORBIDDEN"}:
            reason = message or f"HTTP {status}."
            raise CommandError(
                f"{self._url} refuses: {reason} Give a token that may write: --token or RATESGRAPH_TOKEN."
            )
        if code is not None and code != "GRAPHQL_VALIDATION_FAILED":
            raise CommandError(f"{self._url} answers {code}: {message}")
        data = answer.get("data") if isinstance(answer, dict) else None
        if errors or not isinstance(data, dict):
            raise CommandError(
                f"{self._url} is not a Ratesgraph endpoint of this version (HTTP {status}); its path is usually /graphql."
            )
        return data


def _first_error(errors: object) -> tuple[str | None, str | None]:
    """Return code and message of the first GraphQL error, as far as there are any."""
    match errors:
        case [{"message": str(message), "extensions": {"code": str(code)}}, *_]:
            return code, message
        case _:
            return None, None
