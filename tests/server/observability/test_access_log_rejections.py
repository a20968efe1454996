"""Access log and metrics of requests rejected by the HTTP protocol: one record per response."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.http.logs import Log, logging_server
from tests.support.http.metrics import SCRAPER, SETTINGS, find, scrape
from tests.support.http.raw_http import BODY, FORM, HEAD, read_all, status_and_code
from tests.support.tokens import create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

Server = tuple[str, Log]
ID = b"X-Request-Id: %b\r\n"


@pytest.fixture(scope="module")
def server(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with a request timeout of half a second, and its log."""
    settings = {**SETTINGS, "RATESGRAPH_REQUEST_SECONDS": "0.5"}
    with logging_server(module_database_url, tmp_path_factory.mktemp("refusals"), **settings) as (_, url, log):
        yield url, log


def send_raw(url: str, words: bytes) -> bytes:
    """Send raw bytes and return the response until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as sock:
        sock.sendall(words)
        return read_all(sock)


REQUESTS = {
    "head": (HEAD + ID + b"X-Oth", 408, "REQUEST_TIMEOUT"),
    "body": (HEAD + ID + b"Content-Length: 27\r\n\r\n" + BODY[:10], 408, "REQUEST_TIMEOUT"),
    "form": (FORM + ID + b"Authorization: Bearer %t\r\nContent-Length: 5000\r\n\r\n--xyz\r\n", 408, "REQUEST_TIMEOUT"),
    "long": (HEAD + ID + b"X-Long: " + b"x" * 70_000, 431, "HEAD_TOO_LARGE"),
    "chunk": (HEAD + ID + b"Transfer-Encoding: chunked\r\n\r\nwrong\r\n", 400, "BAD_HTTP"),
    "socket": (
        HEAD + ID + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
        400,
        "BAD_HTTP",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_access_log_and_metrics_record_a_rejected_request_once_by_request_id(
    server: Server, module_database_url: str, name: str
) -> None:
    url, log = server
    words, status, code = REQUESTS[name]
    if b"%t" in words:
        words = words.replace(b"%t", create_api_token(module_database_url, "upload").encode())
    before = find(scrape(url, SCRAPER), "ratesgraph_requests_total", status=str(status), code=code)
    answer = send_raw(url, words.replace(b"%b", name.encode()))
    assert status_and_code(answer) == (status, code)
    head = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert {b"x-request-id: " + name.encode(), b"x-content-type-options: nosniff"} <= set(head)
    line = log.find(request_id=name, event="request", level="info")
    assert (line["status"], line["codes"][0]) == (status, code)
    assert line.get("duration_ms", 0) > (400 if status == 408 else -1)
    eventually(
        lambda: find(scrape(url, SCRAPER), "ratesgraph_requests_total", status=str(status), code=code) == before + 1,
        "the rejection is not counted",
    )
    assert len([line for line in log.lines() if line.get("request_id") == name]) == 1


def test_access_log_reports_invalid_http_at_info_level_only(server: Server) -> None:
    url, log = server
    for words in (b"no http\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"):
        send_raw(url, words)
    log.find(codes=["BAD_HTTP"])
    assert {line["level"] for line in log.lines()} == {"info"}
