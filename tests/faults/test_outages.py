"""Database outages: a short one is bridged, a long one reported, recovery is immediate."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from db.migrate import migrate
from db.outage import MAX_WAITING
from tests.chaos.database import CrashableServer, crashable_server
from tests.support.databases.memory import temporary_folder
from tests.support.faults.readers import QUERY, Reading, reading
from tests.support.faults.world import QueryCase, create_query_cases
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

SETTINGS = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_LOG_LEVEL": "error", "RATESGRAPH_EXECUTION_SECONDS": "120"}
"""The output is not read: a warning for each failed request would fill the pipe and block the server. Queries wait for the
database longer than they may usually take."""
OUTAGE_SECONDS = 5.0
RECOVERY_SECONDS = 15.0
"""Time within which all requests succeed after the database has recovered."""
WAIT_SECONDS = 20.0
"""How long the server waits for the database: longer than PostgreSQL takes to start on a busy machine."""
LATE_SECONDS = 15.0
"""Length of an outage after which a request waits only for the rest of that time."""
TOLERANCE_SECONDS = 10.0
"""Tolerance for a busy machine on top of a deadline."""
BRIDGED = {**SETTINGS, "RATESGRAPH_DATABASE_WAIT_SECONDS": str(WAIT_SECONDS)}


QUICK_SECONDS = 15.0
"""An answer before did not wait for the database."""


@pytest.fixture(scope="module")
def crashable() -> Iterator[tuple[CrashableServer, list[QueryCase]]]:
    """A database that can be crashed, and queries about it."""
    with temporary_folder() as folder, crashable_server(folder) as server:
        migrate(server.url)
        yield server, create_query_cases(server.url)


@contextmanager
def outage(server: CrashableServer) -> Iterator[float]:
    """Crash the database for the block; yield the time of the crash."""
    server.crash()
    try:
        yield time.monotonic()
    finally:
        server.start()


def pause_until(moment: float) -> None:
    """Wait until a point in time, to extend the outage."""
    time.sleep(max(0.0, moment - time.monotonic()))


def test_outage_of_five_seconds_fails_no_request(crashable: tuple[CrashableServer, list[QueryCase]]) -> None:
    server, cases = crashable
    with serving(server.url, settings=BRIDGED) as (_, url):
        wait_until_answered(url)
        with reading(url, cases, persistent=6, short_lived=6) as readings:
            readings.wait_for(200)
            with outage(server) as since:
                pause_until(since + OUTAGE_SECONDS)
            until = time.monotonic()
            readings.wait_for(200)
        assert readings.incorrect == []
        assert until - since >= OUTAGE_SECONDS
        # The requests waited for the database, and not much longer.
        waited = [one.sent_at + one.seconds for one in readings.between(since - 1, until) if one.seconds > 1]
        assert len(waited) >= 6
        assert max(waited) - until < RECOVERY_SECONDS


def is_outage_error(one: Reading) -> bool:
    """Return whether the response reported an unavailable database."""
    return one.status == 503 and "DATABASE_UNAVAILABLE" in one.problem and one.retry_after is not None


def test_outage_beyond_the_wait_limit_responds_503_quickly_until_recovery(
    crashable: tuple[CrashableServer, list[QueryCase]],
) -> None:
    server, cases = crashable
    with serving(server.url, settings=BRIDGED) as (_, url):
        wait_until_answered(url)
        with reading(url, cases, persistent=4, short_lived=4) as readings:
            readings.wait_for(100)
            with outage(server) as since:
                pause_until(since + LATE_SECONDS)
                with reading(url, cases, persistent=2, short_lived=2) as late_readings:
                    pause_until(since + WAIT_SECONDS + 1)
                    late_readings.wait_for(60)
                    readings.wait_for(60)
            until = time.monotonic()
            eventually(lambda: readings.all[-1].is_correct, "no request is answered again")
            readings.wait_for(200)
        assert all(one.is_correct or is_outage_error(one) for one in readings.all)
        # No request waits longer than the database wait.
        assert max(one.seconds for one in readings.between(since - 1, until - 3)) < WAIT_SECONDS + TOLERANCE_SECONDS
        # A request that arrives five seconds before the end of the wait fails within them, a later one at once.
        assert len(late_readings.all) > 50
        assert all(is_outage_error(one) for one in late_readings.all)
        assert max(one.seconds for one in late_readings.all) < WAIT_SECONDS - LATE_SECONDS + TOLERANCE_SECONDS
        late = readings.between(since + WAIT_SECONDS + 1, until - 0.1)
        assert len(late) > 20
        assert all(is_outage_error(one) for one in late)
        assert max(one.seconds for one in late) < TOLERANCE_SECONDS
        back = min(one.sent_at + one.seconds for one in readings.all if one.is_correct and one.sent_at > since + 5)
        assert back - until < RECOVERY_SECONDS
        assert all(one.is_correct for one in readings.between(back, until + 60))


@pytest.mark.parametrize("media_type", ["application/json", "application/graphql-response+json"])
def test_outage_responds_503_without_data_and_200_with_partial_data(
    crashable: tuple[CrashableServer, list[QueryCase]], media_type: str
) -> None:
    server, cases = crashable
    settings = {**SETTINGS, "RATESGRAPH_DATABASE_WAIT_SECONDS": "0"}
    partial_query = QUERY.replace("averagePrices", "kind: __typename averagePrices")
    with (
        serving(server.url, settings=settings) as (_, url),
        httpx.Client(headers={"Accept": media_type}, timeout=DEADLINE_SECONDS) as http,
    ):
        wait_until_answered(url)
        with outage(server):
            failed, partial = (
                http.post(f"{url}/graphql", json={"query": query, "variables": cases[0].variables})
                for query in (QUERY, partial_query)
            )
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "2")
    assert failed.headers["content-type"].startswith(media_type)
    assert "data" not in failed.json()
    assert partial.status_code == 200
    assert partial.json()["data"] == {"kind": "Query", "averagePrices": None}
    for answer in (failed, partial):
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "DATABASE_UNAVAILABLE"}


def test_outage_rejects_requests_above_the_waiting_limit_quickly(
    crashable: tuple[CrashableServer, list[QueryCase]],
) -> None:
    server, cases = crashable

    async def ask_all(url: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=DEADLINE_SECONDS) as http:
            body = {"query": QUERY, "variables": cases[0].variables}
            return await asyncio.gather(*(http.post(f"{url}/graphql", json=body) for _ in range(MAX_WAITING + 200)))

    many = {"RATESGRAPH_MAX_CONNECTIONS": "5000", "RATESGRAPH_MAX_ADDRESS_CONNECTIONS": "5000"}
    settings = {**SETTINGS, **many, "RATESGRAPH_DATABASE_WAIT_SECONDS": "25"}
    with serving(server.url, settings=settings) as (_, url):
        wait_until_answered(url)
        with outage(server):
            responses = asyncio.run(ask_all(url))
    assert {answer.status_code for answer in responses} == {503}
    quick = [answer for answer in responses if answer.elapsed.total_seconds() < QUICK_SECONDS]
    assert len(quick) >= 50
    # Requests that arrive before the first connection turns out to be lost may be refused for their number alone.
    codes = [error["extensions"]["code"] for answer in responses for error in answer.json()["errors"]]
    assert len(codes) == len(responses)
    assert set(codes) <= {"DATABASE_UNAVAILABLE", "SERVER_BUSY"}
    waited = [answer for answer in responses if answer.elapsed.total_seconds() >= QUICK_SECONDS]
    assert {answer.json()["errors"][0]["extensions"]["code"] for answer in waited} == {"DATABASE_UNAVAILABLE"}
