"""HTTP client of the commands: sends GraphQL requests and retries them with backoff.

Every request is safe to repeat: queries change nothing, and uploads carry an idempotency key.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import httpx
import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from server.cli.console import CommandError
from server.config.network import is_loopback

RETRY_DEADLINE_SECONDS = 300.0
"""How long a server that has answered before may be unavailable: longer than any restart."""
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=120.0)
"""Time limit of an upload.

The server responds once the file is stored: some seconds for half a gigabyte.
"""

Json = dict[str, Any]


class UploadRejected(CommandError):
    """The server rejected this file; other files may still be accepted."""


class _TransientError(Exception):
    """A response that a retry may turn into a success."""


class _StopAfterOutage:
    """Stop condition of a retry: the deadline counts from the first failure.

    tenacity's `stop_after_delay` counts from the first attempt, which for a large upload may last longer than the deadline.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._first_failure: float | None = None

    def __call__(self, state: RetryCallState) -> bool:
        """Return whether the outage has exceeded the deadline."""
        failed_at = state.outcome_timestamp or 0.0
        if self._first_failure is None:
            self._first_failure = failed_at
        return failed_at - self._first_failure > self._seconds


@contextmanager
def open_client(url: str, token: str | None, *, insecure: bool) -> Iterator["ApiClient"]:
    """Yield a client of the endpoint. Raise CommandError for an unusable URL or token."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        raise CommandError(
            "--url must be an http(s) URL without credentials, for example http://127.0.0.1:8000/graphql."
        )
    headers = {"GraphQL-Require-Preflight": "1"}
    if token:
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise CommandError("The token contains invalid characters; copy it again, without spaces or line breaks.")
        if parsed.scheme == "http" and not is_loopback(parsed.host) and not insecure:
            raise CommandError(
                f"Refusing to send the token over unencrypted http to {parsed}; use https or --insecure."
            )
        headers["Authorization"] = f"Bearer {token}"
    # Proxy settings of the environment do not apply to loopback addresses.
    with httpx.Client(headers=headers, timeout=TIMEOUT, trust_env=not is_loopback(parsed.host)) as http:
        yield ApiClient(http, parsed)


class ApiClient:
    """GraphQL client that sends queries and files, and retries once the server has been reached."""

    def __init__(self, http: httpx.Client, url: httpx.URL) -> None:
        self._http = http
        self._url = url
        self._was_reached = False

    def query(self, query: str, **variables: object) -> Json:
        """Return the data of a response without errors. Raise CommandError."""
        return self._post_with_retry(lambda: self._http.post(self._url, json={"query": query, "variables": variables}))

    def download(self, path: str) -> bytes:
        """Return the content of a file on the server. Raise CommandError."""
        url = self._url.join(path)
        try:
            response = self._http.get(url)
        except httpx.TransportError as error:
            raise CommandError(
                f"{url.copy_with(query=None)} does not answer: {error}. Is the server running?"
            ) from error
        if response.status_code == 200:
            return response.content
        try:
            code, message = _first_error(response.json().get("errors"))
        except ValueError:
            code, message = None, None
        raise CommandError(
            f"{code}: {message}" if code else f"{url.copy_with(query=None)} returned HTTP {response.status_code}."
        )

    def upload(self, query: str, file: BinaryIO, name: str, **variables: object) -> Json:
        """Return the data of an operation with the variable `$file`.

        Raise UploadRejected or CommandError.
        """
        operations = orjson.dumps({"query": query, "variables": {**variables, "file": None}})
        return self._post_with_retry(
            lambda: self._http.post(
                self._url,
                data={"operations": operations, "map": b'{"0": ["variables.file"]}'},
                files={"0": (name, file, "application/octet-stream")},
            )
        )

    def _post_with_retry(self, post: Callable[[], httpx.Response]) -> Json:
        """Send the request until it succeeds; retry with exponential backoff up to the deadline."""
        retrying = Retrying(
            retry=retry_if_exception(self._is_retryable),
            wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=MAX_PAUSE_SECONDS),
            stop=_StopAfterOutage(RETRY_DEADLINE_SECONDS),
            reraise=True,
        )
        try:
            return retrying(self._post_once, post)
        except (httpx.TransportError, _TransientError) as error:
            reason = str(error) or type(error).__name__
            raise CommandError(f"{self._url} does not answer: {reason}. Is the server running?") from error

    def _is_retryable(self, error: BaseException) -> bool:
        """Return whether to retry the request.

        A server that has never answered may not exist, so a failure before the first success is final.
        """
        return self._was_reached and isinstance(error, httpx.TransportError | _TransientError)

    def _post_once(self, post: Callable[[], httpx.Response]) -> Json:
        try:
            data = self._parse_response(post())
        except httpx.LocalProtocolError as error:
            raise UploadRejected("the file changed during the upload; run the command again.") from error
        self._was_reached = True
        return data

    def _parse_response(self, response: httpx.Response) -> Json:
        """Return the data of a response, or raise the exception for its status or error code."""
        try:
            body = response.json()
        except ValueError:
            body = None
        errors = body.get("errors") if isinstance(body, dict) else None
        code, message = _first_error(errors)
        status = response.status_code
        match status, code:
            case (429 | 502 | 503 | 504, _) | (
                _,
                "DATABASE_UNAVAILABLE" | "SERVER_BUSY" | "STATEMENT_TIMEOUT" | "TREE_CHANGE_RUNNING",
            ):
                raise _TransientError(message or f"HTTP {status}")
            case (413, _):
                raise UploadRejected(
                    message or "the file exceeds the size limit of the server or of a proxy before it."
                )
            case (401 | 403, _) | (_, "UNAUTHENTICATED" | "FORBIDDEN"):
                reason = message or f"HTTP {status}."
                advice = "Provide a token with the upload scope: --token or RATESGRAPH_TOKEN."
                raise CommandError(f"{self._url} rejected the request: {reason} {advice}")
            case (_, str()) if code != "GRAPHQL_VALIDATION_FAILED":
                raise CommandError(f"{self._url} returned {code}: {message}")
        data = body.get("data") if isinstance(body, dict) else None
        if errors or not isinstance(data, dict):
            raise CommandError(
                f"{self._url} is not a compatible Ratesgraph endpoint (HTTP {status}); its path is usually /graphql."
            )
        return data


def _first_error(errors: object) -> tuple[str | None, str | None]:
    """Return code and message of the first GraphQL error, or None for each if there is none."""
    match errors:
        case [{"message": str(message), "extensions": {"code": str(code)}}, *_]:
            return code, message
        case _:
            return None, None
