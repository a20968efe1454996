"""Errors of the API client for unreachable, rejecting and foreign servers; token secrecy."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.batches.price_files import CSV
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph
from tests.support.http.server_process import one_line

TOKEN = "s3cret-token"  # noqa: S105


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with three prices."""
    path = tmp_path / "prices.csv"
    path.write_bytes(CSV)
    return path


def test_unreachable_server_is_reported_in_one_line(file: Path) -> None:
    done = ratesgraph(None, "prices", "upload", "--url", "http://127.0.0.1:1/graphql", file, exit_code=1)
    assert "http://127.0.0.1:1/graphql does not answer: [Errno 111] Connection refused." in one_line(done.stderr)


class ForeignServer(BaseHTTPRequestHandler):
    """Foreign server: answers each path with an unexpected response and records received tokens."""

    ANSWERS = {  # noqa: RUF012
        "/html": (200, b"<html>"),
        "/moved": (307, b""),
        "/other": (200, b'{"errors": [{"message": "Cannot query field batchByKey"}]}'),
        "/list": (200, b"[1]"),
        "/401": (401, b'{"errors": [{"message": "No such token.", "extensions": {"code": "UNAUTHENTICATED"}}]}'),
        "/403": (403, b"<html>"),
        "/500": (200, b'{"errors": [{"message": "Its id is 7.", "extensions": {"code": "INTERNAL_ERROR"}}]}'),
        "/503": (503, b"busy"),
        "/busy": (200, b'{"errors": [{"message": "The server is busy.", "extensions": {"code": "SERVER_BUSY"}}]}'),
    }
    tokens: list[str | None] = []  # noqa: RUF012

    def do_POST(self) -> None:
        """Send the response of the path."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.tokens.append(self.headers["Authorization"])
        status, body = self.ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Disable logging."""


@pytest.fixture
def foreign_server() -> Iterator[str]:
    """Yield the URL of a server of another product."""
    with ThreadingHTTPServer(("127.0.0.1", 0), ForeignServer) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_foreign_server_response_is_reported_in_one_line_without_the_token(foreign_server: str, file: Path) -> None:
    words = {
        "/html": "is not a compatible Ratesgraph endpoint",
        "/moved": "(HTTP 307); its path is usually /graphql",
        "/other": "is not a compatible Ratesgraph endpoint",
        "/list": "is not a compatible Ratesgraph endpoint",
        "/401": "rejected the request: No such token. Provide a token",
        "/403": "rejected the request: HTTP 403. Provide a token",
        "/500": "returned INTERNAL_ERROR: Its id is 7.",
        "/503": "does not answer: HTTP 503.",
        "/busy": "does not answer: The server is busy.",
    }
    assert set(words) == set(ForeignServer.ANSWERS)
    for path, expected in words.items():
        done = ratesgraph_in_process(
            None,
            "prices",
            "upload",
            "--url",
            foreign_server + path,
            file,
            exit_code=1,
            settings={"RATESGRAPH_TOKEN": TOKEN},
        )
        assert expected in one_line(done.stderr)
        assert TOKEN not in done.stdout + done.stderr
    assert set(ForeignServer.tokens) == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "http://prices.example/graphql", "--token", TOKEN], "use https or --insecure"),
        (["--token", f"{TOKEN}\n"], "The token contains invalid characters; copy it again"),
        (["--url", "ftp://127.0.0.1/graphql"], "--url must be an http(s) URL without credentials"),
        (["--url", f"http://me:{TOKEN}@127.0.0.1/graphql"], "--url must be an http(s) URL without credentials"),
        (["--url", "http://127.0.0.1:x/graphql"], "--url must be an http(s) URL without credentials"),
    ],
)
def test_unusable_url_or_token_is_reported_in_one_line_without_the_token(
    file: Path, arguments: list[str], message: str
) -> None:
    line = one_line(ratesgraph_in_process(None, "prices", "upload", *arguments, file, exit_code=1).stderr)
    assert message in line
    assert TOKEN not in line
