"""Access log and metrics of WebSockets: rejections are recorded as over HTTP."""

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from tests.support.http.logs import Log, logging_server
from tests.support.http.metrics import SCRAPER, SETTINGS, find, scrape
from tests.support.streams import PROTOCOL, open_socket, receive, subscribe
from tests.support.tokens import create_api_token
from tests.support.waiting import eventually

WATCH = 'subscription { pricesChanged(origin: "CNSGH", destination: "CNSGH") { status } }'
LIMITS = {
    **SETTINGS,
    "RATESGRAPH_MAX_CALLER_STREAMS": "2",
    "RATESGRAPH_MAX_WEBSOCKET_OPERATIONS": "1",
    "RATESGRAPH_SLOW_SECONDS": "1.5",
}
Server = tuple[str, Log]


@pytest.fixture(scope="module")
def server(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server shared by the tests, and its log."""
    with logging_server(module_database_url, tmp_path_factory.mktemp("sockets"), **LIMITS) as (_, url, log):
        yield url, log


def count_errors(url: str, code: str) -> float:
    """Return the number of counted errors with the code."""
    return find(scrape(url, SCRAPER), "ratesgraph_errors_total", code=code)


@pytest.mark.parametrize(
    ("payload", "code"),
    [({"documentId": "nothing"}, "DOCUMENT_NOT_FOUND"), ({"query": 5}, "BAD_PARAMETER")],
)
def test_access_log_and_metrics_record_rejected_websocket_operations(
    server: Server, payload: dict[str, object], code: str
) -> None:
    url, log = server
    with open_socket(url) as socket:
        assert socket.response is not None
        id_ = socket.response.headers["x-request-id"]
        before = count_errors(url, code)
        for number in "12":
            socket.send(json.dumps({"id": number, "type": "subscribe", "payload": payload}))
            assert receive(socket)["payload"][0]["extensions"]["code"] == code
        assert log.find(request_id=id_, transport="websocket", codes=[code], caller="anyone")["event"] == "request"
        eventually(lambda: count_errors(url, code) == before + 2, "the rejections are not counted")


def test_access_log_records_websocket_operations_above_the_limit(server: Server) -> None:
    url, log = server
    with open_socket(url) as socket:
        assert socket.response is not None
        subscribe(socket, WATCH, {}, "1")
        subscribe(socket, WATCH, {}, "2")
        assert receive(socket)["id"] == "2"
        log.find(request_id=socket.response.headers["x-request-id"], codes=["TOO_MANY_OPERATIONS"])


def test_access_log_records_unauthenticated_websocket_connections(server: Server) -> None:
    url, log = server
    with (
        pytest.raises(ConnectionClosedError),
        open_socket(url, "wrong"),
    ):
        pass
    assert log.find(codes=["UNAUTHENTICATED"])["transport"] == "websocket"


def test_access_log_records_rejected_websocket_handshakes_by_request_id(server: Server) -> None:
    url, log = server
    before = count_errors(url, "TOO_MANY_STREAMS")
    with open_socket(url), open_socket(url), pytest.raises(InvalidStatus) as refused, open_socket(url):
        pass
    line = log.find(request_id=refused.value.response.headers["x-request-id"])
    assert line.pop("duration_ms") >= 0
    assert {name: line[name] for name in ("transport", "route", "status", "codes")} == {
        "transport": "websocket",
        "route": "/graphql",
        "status": 429,
        "codes": ["TOO_MANY_STREAMS"],
    }
    eventually(lambda: count_errors(url, "TOO_MANY_STREAMS") == before + 1, "the rejection is not counted")
    # A page of a foreign origin, which receives only a status.
    headers = {"X-Request-Id": "page", "Origin": "https://elsewhere.example"}
    address = f"{url.replace('http', 'ws', 1)}/graphql"
    with pytest.raises(InvalidStatus), connect(address, subprotocols=[PROTOCOL], additional_headers=headers):
        pass
    assert log.find(request_id="page")["status"] == 403
    assert not [line for line in log.lines() if line["level"] == "error" or line["logger"] == "strawberry.ws"]


def test_access_log_reports_slow_websocket_operations_as_warnings(server: Server, module_database_url: str) -> None:
    url, log = server
    upload = """mutation Slow {
      uploadPrices(input: {prices: [{dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "CNSGH", destination: "CNSGH",
        price: 1}], waitMs: 2000}) { batch { status } }
    }"""
    with open_socket(url, create_api_token(module_database_url, "upload")) as socket:
        subscribe(socket, upload, {})
        assert receive(socket)["payload"]["data"]["uploadPrices"]["batch"]["status"] == "QUEUED"
    line = log.find(event="slow request", transport="websocket")
    assert (line["level"], line["operation"]) == ("warning", "Slow")
    assert line["duration_ms"] > 1_500
