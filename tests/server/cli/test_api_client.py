"""What a command says of a server that is away, refuses, or is somebody else's; and what it never says."""

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.resolvers.uploads.test_price_files import CSV
from tests.server.cli.test_commands import one_line
from tests.support.processes import COMMAND, environment, ratesgraph

TOKEN = "s3cret-token"  # noqa: S105
SECONDS = 60


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three prices."""
    path = tmp_path / "prices.csv"
    path.write_bytes(CSV)
    return path


def test_a_server_that_is_away_is_one_line(file: Path) -> None:
    done = ratesgraph(None, "prices", "upload", "--url", "http://127.0.0.1:1/graphql", file, exit_code=1)
    assert "http://127.0.0.1:1/graphql does not answer: [Errno 111] Connection refused." in one_line(done.stderr)


class Stranger(BaseHTTPRequestHandler):
    """Answers each path with what somebody else's server might, and notes the tokens that it is shown."""

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
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.tokens.append(self.headers["Authorization"])
        status, body = self.ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """The URL of a server that is not ours."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_what_another_server_says_is_one_line_without_the_token(stranger: str, file: Path) -> None:
    words = {
        "/html": "is not a Ratesgraph endpoint",
        "/moved": "(HTTP 307); its path is usually /graphql",
        "/other": "is not a Ratesgraph endpoint",
        "/list": "is not a Ratesgraph endpoint",
        "/401": "refuses: No such token. Give a token",
        "/403": "refuses: HTTP 403. Give a token",
        "/500": "answers INTERNAL_ERROR: Its id is 7.",
        "/503": "does not answer: HTTP 503.",
        "/busy": "does not answer: The server is busy.",
    }
    assert set(words) == set(Stranger.ANSWERS)
    for path, expected in words.items():
        done = subprocess.run(
            [COMMAND, "prices", "upload", "--url", stranger + path, file],
            env={**environment(None), "RATESGRAPH_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 1, path
        assert expected in one_line(done.stderr)
        assert TOKEN not in done.stdout + done.stderr
    assert set(Stranger.tokens) == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "http://prices.example/graphql", "--token", TOKEN], "use https, or --insecure"),
        (["--token", f"{TOKEN}\n"], "characters that no token has"),
        (["--url", "ftp://127.0.0.1/graphql"], "--url must be like"),
        (["--url", f"http://me:{TOKEN}@127.0.0.1/graphql"], "--url must be like"),
        (["--url", "http://127.0.0.1:x/graphql"], "--url must be like"),
    ],
)
def test_a_url_or_token_that_cannot_be_used_is_one_line(file: Path, arguments: list[str], words: str) -> None:
    line = one_line(ratesgraph(None, "prices", "upload", *arguments, file, exit_code=1).stderr)
    assert words in line
    assert TOKEN not in line
