"""Every field that is not for everybody refuses whoever has no token, one that does not hold, or one that is not enough.

Over JSON, server-sent events and WebSocket; the list of fields is that of the guard, so none can be forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError

from tests.fix_server import running_server
from tests.house.test_scopes import ADMIN, READ, UPLOAD, declared
from tests.processes import ratesgraph
from tests.streams import answers, events, open_socket, subscribe
from tests.tokens import bearing, make_token

LANE = 'origin: "CNSGH", destination: "NLRTM"'
DAYS = 'dateFrom: "2024-01-01", dateTo: "2024-01-01"'
OPERATIONS = {
    "averagePrices": f"{{ averagePrices({DAYS}, {LANE}) {{ day }} }}",
    "exchangeRates": '{ exchangeRates(currency: "EUR", from: "2024-01-01", to: "2024-01-01") { day } }',
    "location": '{ location(key: "CNSGH") { key } }',
    "locations": "{ locations { totalCount } }",
    "port": '{ port(code: "CNSGH") { key } }',
    "region": '{ region(slug: "world") { key } }',
    "pricesChanged": f"subscription {{ pricesChanged({LANE}) {{ status }} }}",
    "batch": '{ batch(id: "1") { id } }',
    "batchByKey": '{ batchByKey(idempotencyKey: "1") { id } }',
    "batches": "{ batches { totalCount } }",
    "batchProgress": 'subscription { batchProgress(id: "1") { status } }',
    "uploadPrices": "mutation { uploadPrices(input: { prices: [] }) { replayed } }",
    "uploadPriceFile": "mutation ($file: Upload!) { uploadPriceFile(file: $file) { replayed } }",
    "revertBatch": 'mutation { revertBatch(id: "1") { batch { id } } }',
    "upsertRegions": "mutation { upsertRegions(regions: []) { addedCount } }",
    "upsertPorts": "mutation { upsertPorts(ports: []) { addedCount } }",
    "moveLocation": 'mutation { moveLocation(key: "CNSGH", parentSlug: "x") { addedCount } }',
}
NOT_ENOUGH = dict.fromkeys(READ, "upload") | dict.fromkeys(UPLOAD, "read") | dict.fromkeys(ADMIN, "upload")
TRANSPORTS = ("json", "sse", "websocket")


@dataclass
class Doors:
    """A server where reading is open, one where it is not, over one database, and tokens that do not hold."""

    database_url: str
    open: str
    closed: str
    bad_tokens: dict[str, str]


@pytest.fixture(scope="module")
def doors(module_database_url: str) -> Iterator[Doors]:
    url = module_database_url
    revoked = make_token(url, "admin")
    ratesgraph(url, "token", "revoke", revoked)
    valid = make_token(url, "admin")
    bad = {
        "expired": make_token(url, "admin", expires_at=datetime.now(UTC) - timedelta(seconds=1)),
        "revoked": revoked,
        "wrong": f"{valid[:-1]}{'A' if valid[-1] != 'A' else 'B'}",
        "unknown": f"rgt_{'0' * 16}_{'0' * 43}",
        "no token": "admin",
    }
    with (
        running_server(url, writes_are_open=False) as client,
        running_server(url, writes_are_open=False, open_reads=False) as other,
    ):
        yield Doors(url, str(client.http.base_url), str(other.http.base_url), bad)


def code(url: str, transport: str, query: str, token: str | None) -> str:
    """Return the code of the only error that the operation is answered with, or an empty text."""
    if transport == "websocket":
        try:
            with open_socket(url, token) as socket:
                subscribe(socket, query, {})
                answer = next(answers(socket))
        except ConnectionClosedError as closed:
            return "UNAUTHENTICATED" if closed.rcvd and closed.rcvd.code == 4403 else repr(closed)
    else:
        accept = "text/event-stream" if transport == "sse" else "application/json"
        response = httpx.post(f"{url}/graphql", json={"query": query}, headers={"Accept": accept, **bearing(token)})
        is_stream = response.headers["content-type"].startswith("text/event-stream")
        answer = next(events(response)) if is_stream else response.json()
        found = answer.get("errors", [{}])[0].get("extensions", {}).get("code", "")
        if not is_stream and found in {"UNAUTHENTICATED", "FORBIDDEN"}:
            assert response.status_code == {"UNAUTHENTICATED": 401, "FORBIDDEN": 403}[found]
            assert response.headers["www-authenticate"].startswith("Bearer ")
    if not answer.get("errors"):
        return ""
    (error,) = answer["errors"]
    refusal = str(error["extensions"]["code"])
    assert refusal not in {"UNAUTHENTICATED", "FORBIDDEN"} or answer.get("data") is None
    return refusal


def transports(field: str) -> tuple[str, ...]:
    """Return how the field can be asked for."""
    return TRANSPORTS[1:] if OPERATIONS[field].startswith("subscription") else TRANSPORTS


def test_the_list_is_complete() -> None:
    assert set(OPERATIONS) == set(declared())


@pytest.mark.parametrize("field", sorted(UPLOAD | ADMIN))
def test_where_reading_is_open_all_else_needs_a_token_that_holds_and_is_enough(doors: Doors, field: str) -> None:
    for transport in transports(field):
        assert code(doors.open, transport, OPERATIONS[field], None) == "UNAUTHENTICATED"
        for kind, token in doors.bad_tokens.items():
            assert code(doors.open, transport, OPERATIONS[field], token) == "UNAUTHENTICATED", kind
        not_enough = make_token(doors.database_url, NOT_ENOUGH[field])
        assert code(doors.open, transport, OPERATIONS[field], not_enough) == "FORBIDDEN"


@pytest.mark.parametrize("field", sorted(OPERATIONS))
def test_where_reading_is_closed_everything_needs_one(doors: Doors, field: str) -> None:
    for transport in transports(field):
        for token in (None, *doors.bad_tokens.values()):
            assert code(doors.closed, transport, OPERATIONS[field], token) == "UNAUTHENTICATED"
        not_enough = make_token(doors.database_url, NOT_ENOUGH[field])
        assert code(doors.closed, transport, OPERATIONS[field], not_enough) == "FORBIDDEN"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_scope_that_is_enough_admits_and_admin_is_enough_for_all(doors: Doors, transport: str) -> None:
    scopes = dict.fromkeys(READ, "read") | dict.fromkeys(UPLOAD, "upload") | dict.fromkeys(ADMIN, "admin")
    for field, scope in scopes.items():
        if transport in transports(field) and field != "pricesChanged":
            for token in (make_token(doors.database_url, scope), make_token(doors.database_url, "admin")):
                found = code(doors.closed, transport, OPERATIONS[field], token)
                assert found not in {"UNAUTHENTICATED", "FORBIDDEN"}, field


def test_no_token_is_needed_to_read_where_reading_is_open_but_a_wrong_one_is_told(doors: Doors) -> None:
    assert code(doors.open, "json", OPERATIONS["locations"], None) == ""
    assert code(doors.open, "json", OPERATIONS["locations"], doors.bad_tokens["expired"]) == "UNAUTHENTICATED"


def test_an_operation_does_all_that_it_may_or_nothing(doors: Doors) -> None:
    query = "query { locations { totalCount } ...more } fragment more on Query { ... { b: batches { totalCount } } }"
    assert code(doors.open, "json", query, None) == "UNAUTHENTICATED"
    assert code(doors.open, "json", query, make_token(doors.database_url, "upload")) == ""


def test_the_token_may_stand_in_the_header_of_a_websocket(doors: Doors) -> None:
    with open_socket(doors.closed, make_token(doors.database_url, "read"), in_header=True) as socket:
        subscribe(socket, OPERATIONS["locations"], {})
        assert next(answers(socket)) == {"data": {"locations": {"totalCount": 0}}}


@pytest.mark.parametrize("path", ["1", "999", "x"])
def test_the_download_of_rejections_needs_what_its_batch_needs(doors: Doors, path: str) -> None:
    def status(token: str | None) -> int:
        return httpx.get(f"{doors.open}/batches/{path}/rejections.csv", headers=bearing(token)).status_code

    assert [status(token) for token in (None, *doors.bad_tokens.values())] == [401] * 6
    assert status(make_token(doors.database_url, "read")) == 403
    assert status(make_token(doors.database_url, "upload")) == 404


def test_a_dry_run_tells_averages_and_so_needs_reading_too(doors: Doors) -> None:
    query = "mutation { uploadPrices(input: { prices: [], dryRun: true }) { userErrors { code } } }"
    assert code(doors.closed, "json", query, make_token(doors.database_url, "upload", "read")) == ""
    answer = httpx.post(
        f"{doors.closed}/graphql", json={"query": query}, headers=bearing(make_token(doors.database_url, "upload"))
    ).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_a_page_on_the_internet_is_not_this_machine_whatever_its_name_leads_to(module_database_url: str) -> None:
    with running_server(module_database_url) as client:
        query, port = {"query": OPERATIONS["batches"]}, client.http.base_url.port
        for headers, status in [
            ({"Host": f"localhost:{port}"}, 200),
            ({"Host": f"[::1]:{port}"}, 200),
            ({"Host": f"evil.example:{port}"}, 401),
            ({"Host": "localhost.evil.example"}, 401),
            ({"X-Forwarded-For": "203.0.113.9"}, 401),
            ({"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}, 200),
            ({"Host": f"localhost:{port}", "Origin": "https://app.example"}, 401),
            ({"Host": f"localhost:{port}", "Origin": "null"}, 401),
        ]:
            assert client.http.post("/graphql", json=query, headers=headers).status_code == status, headers


def test_fragments_that_spread_each_other_are_looked_into_once(doors: Doors) -> None:
    # 20 levels, each spread twice: a million visits, if each spread were followed.
    names = [f"f{level}" for level in range(20)]
    levels = [f"fragment {name} on Query {{ ...{below} ...{below} }}" for name, below in pairwise(names)]
    query = " ".join(["{ ...f0 }", *levels, f"fragment {names[-1]} on Query {{ batches {{ totalCount }} }}"])
    assert code(doors.open, "json", query, None) == "UNAUTHENTICATED"
