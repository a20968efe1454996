"""Overload of a server with a healthy database: accepted requests and rejections."""

import asyncio
from datetime import date
from decimal import Decimal

import httpx
import pytest

from db.pool import INGEST, connect
from ingest.tree import change_tree
from resolvers.loading import day_totals
from server.auth import authenticator
from tests.support.fixtures.server import JSON, running_server
from tests.support.streams import open_socket, operation_results, sse_results, subscribe
from tests.support.tokens import authorization_header
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import Item, World, apply_frame, frame_of

WORLD = World({"china": None, "europe": None, "CNSGH": "china", "NLRTM": "europe"}, {"CNSGH", "NLRTM"})
ITEMS = [Item("CNSGH", "NLRTM", date(2024, 1, 1), date(2024, 1, 31), Decimal(price)) for price in (100, 101, 103)]
REQUESTS, LANES = 28, 30
AVERAGES = (
    'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-02-01", origin: "{}", destination: "NLRTM")'
    " {{ day averagePrice priceCount }}"
)
FAST = f"{{ {AVERAGES.format('china')} }}"
EXECUTOR = FAST.replace('"NLRTM")', '"NLRTM") @skip(if: false)')
PARTIAL = f"{{ __typename {AVERAGES.format('china')} }}"
BUSY = {"code": "SERVER_BUSY"}


def fill(database_url: str) -> None:
    """Create two ports with prices between them."""

    async def work() -> None:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())
            await apply_frame(connection, frame_of(ITEMS))

    asyncio.run(work())


@pytest.fixture
def full_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the lane queue of the test's servers full."""
    monkeypatch.setattr(day_totals, "MAX_WAITING_LANES", 0)


@pytest.mark.parametrize("root", ["", "__typename"], ids=["fast_path", "executor"])
def test_parallel_requests_of_many_lanes_are_all_answered(database_url: str, root: str) -> None:
    fill(database_url)
    origins = ["china", "CNSGH", "europe"]
    fields = " ".join(f"a{number}: {AVERAGES.format(origins[number % 3])}" for number in range(LANES))

    async def post_all(url: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=DEADLINE_SECONDS, headers=JSON) as http:
            body = {"query": f"{{ {root} {fields} }}"}
            return await asyncio.gather(*(http.post(f"{url}/graphql", json=body) for _ in range(REQUESTS)))

    with running_server(database_url, cache_bytes=0) as client:
        responses = asyncio.run(post_all(str(client.http.base_url)))
        [expected] = client.ask(FAST).values()
    assert expected[0]["priceCount"] == 3
    for response in responses:
        answer = response.json()
        assert (response.status_code, answer.get("errors")) == (200, None)
        assert answer["data"]["a0"] == answer["data"]["a1"] == expected


@pytest.mark.usefixtures("full_queue")
@pytest.mark.parametrize("media_type", ["application/json", "application/graphql-response+json"])
@pytest.mark.parametrize("query", [FAST, EXECUTOR], ids=["fast_path", "executor"])
def test_overload_without_any_answer_is_503_with_retry_after(database_url: str, query: str, media_type: str) -> None:
    fill(database_url)
    with running_server(database_url) as client:
        response = client.http.post("/graphql", json={"query": query}, headers={"Accept": media_type})
        assert client.http.get("/readyz").status_code == 200
        figures = client.http.get("/metrics").text
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.headers["content-type"].startswith(media_type)
    assert "data" not in response.json()
    (error,) = response.json()["errors"]
    assert error["extensions"] == BUSY
    assert error["message"] == "The server is busy: too many requests are waiting. Try again shortly."
    assert 'ratesgraph_errors_total{code="SERVER_BUSY"}' in figures


@pytest.mark.usefixtures("full_queue")
def test_overload_with_a_partial_answer_is_200_with_the_error_on_its_field(database_url: str) -> None:
    fill(database_url)
    with running_server(database_url) as client:
        response = client.http.post("/graphql", json={"query": PARTIAL})
    assert response.status_code == 200
    assert response.json()["data"] == {"__typename": "Query", "averagePrices": None}
    (error,) = response.json()["errors"]
    assert (error["path"], error["extensions"]) == (["averagePrices"], BUSY)


@pytest.mark.usefixtures("full_queue")
@pytest.mark.parametrize("query", [FAST, EXECUTOR], ids=["fast_path", "executor"])
def test_overload_is_an_error_with_its_code_in_streams(database_url: str, query: str) -> None:
    fill(database_url)
    with running_server(database_url) as client, open_socket(str(client.http.base_url)) as socket:
        subscribe(socket, query, {})
        (over_socket,) = operation_results(socket)
        with client.http.stream(
            "POST", "/graphql", json={"query": query}, headers={"Accept": "text/event-stream"}
        ) as response:
            (over_sse,) = sse_results(response)
    for answer in (over_socket, over_sse):
        (error,) = answer["errors"]
        assert error["extensions"] == BUSY


def test_token_lookups_beyond_their_queue_are_refused_as_overload(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator, "MAX_WAITING", 0)
    token = f"rgt_{'0' * 16}_{'0' * 43}"
    with running_server(database_url) as client:
        response = client.http.post("/graphql", json={"query": "{ __typename }"}, headers=authorization_header(token))
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    (error,) = response.json()["errors"]
    assert error["extensions"] == BUSY
