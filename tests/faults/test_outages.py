"""The database goes away and comes back: a short outage is sat out, a long one is told at once, its end is noticed at once."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from db.migrate import migrate
from db.outage import MAX_WAITING
from server.config.settings import Settings
from tests.chaos.database import CrashableServer, crashable_server
from tests.faults.readers import QUERY, Reading, Readings, reading
from tests.faults.world import Question, make_world
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import eventually

SETTINGS = {"RATESGRAPH_CACHE_BYTES": "0", "RATESGRAPH_LOG_LEVEL": "error"}
"""Nobody reads what the server prints: a warning for each request that fails would fill the pipe, and hold the server up."""
OUTAGE_SECONDS = 5.0
BACK_SECONDS = 2.0
"""How soon after the database answers everybody is answered."""
ANSWER_SECONDS = 3.0
DEFAULT_SECONDS = float(Settings.model_fields["database_wait_seconds"].default)
HASTE_SECONDS = 1.0
"""What a busy machine may add to a deadline."""


@pytest.fixture(scope="module")
def crashable() -> Iterator[tuple[CrashableServer, list[Question]]]:
    """A database that can be crashed, and questions about it."""
    with TemporaryDirectory(prefix="ratesgraph-") as folder, crashable_server(Path(folder)) as server:
        migrate(server.url)
        yield server, make_world(server.url)


@contextmanager
def away(server: CrashableServer) -> Iterator[float]:
    """Take the database away for the block; yield since when."""
    server.crash()
    try:
        yield time.monotonic()
    finally:
        server.start()


def wait_for(readings: Readings, count: int) -> None:
    """Wait until so many more requests are answered."""
    count += len(readings.all)
    eventually(lambda: len(readings.all) >= count, "requests are no longer answered", 60)


def pause_until(moment: float) -> None:
    """Let the outage last."""
    time.sleep(max(0.0, moment - time.monotonic()))


def test_outage_of_five_seconds_fails_no_request(crashable: tuple[CrashableServer, list[Question]]) -> None:
    server, questions = crashable
    with serving(server.url, settings=SETTINGS) as (_, url):
        wait_until_answered(url)
        with reading(url, questions, keeping=6, closing=6) as readings:
            wait_for(readings, 200)
            with away(server) as since:
                pause_until(since + OUTAGE_SECONDS)
            until = time.monotonic()
            wait_for(readings, 200)
        assert readings.wrong == []
        assert until - since >= OUTAGE_SECONDS
        # They did wait for it, and not for long after it.
        waited = [one.at + one.seconds for one in readings.between(since - 1, until) if one.seconds > 1]
        assert len(waited) >= 6
        assert max(waited) - until < BACK_SECONDS


def is_told(one: Reading) -> bool:
    """Return whether a request was told that the database is away."""
    return one.status == 503 and "DATABASE_UNAVAILABLE" in one.problem and one.retry_after is not None


def test_outage_beyond_the_wait_limit_responds_503_quickly_until_recovery(
    crashable: tuple[CrashableServer, list[Question]],
) -> None:
    server, questions = crashable
    with serving(server.url, settings=SETTINGS) as (_, url):
        wait_until_answered(url)
        with reading(url, questions, keeping=4, closing=4) as readings:
            wait_for(readings, 100)
            with away(server) as since:
                pause_until(since + OUTAGE_SECONDS)
                with reading(url, questions, keeping=2, closing=2) as late_comers:
                    pause_until(since + DEFAULT_SECONDS + 4)
            until = time.monotonic()
            eventually(lambda: readings.all[-1].is_right, "nobody is answered again")
            wait_for(readings, 200)
        assert all(one.is_right or is_told(one) for one in readings.all)
        # Nobody waits longer than the outage is sat out.
        assert max(one.seconds for one in readings.between(since - 1, until - 3)) < DEFAULT_SECONDS + HASTE_SECONDS
        # Who comes when it is longer than five seconds is told within three, and later at once.
        assert len(late_comers.all) > 50
        assert all(is_told(one) for one in late_comers.all)
        assert max(one.seconds for one in late_comers.all) < ANSWER_SECONDS + HASTE_SECONDS
        late = readings.between(since + DEFAULT_SECONDS + HASTE_SECONDS, until - 1)
        assert len(late) > 50
        assert all(is_told(one) for one in late)
        assert max(one.seconds for one in late) < HASTE_SECONDS
        back = min(one.at + one.seconds for one in readings.all if one.is_right and one.at > since + 5)
        assert back - until < BACK_SECONDS
        assert all(one.is_right for one in readings.between(back, until + 60))


@pytest.mark.parametrize("media_type", ["application/json", "application/graphql-response+json"])
def test_outage_responds_503_without_data_and_200_with_partial_data(
    crashable: tuple[CrashableServer, list[Question]], media_type: str
) -> None:
    server, questions = crashable
    settings = {**SETTINGS, "RATESGRAPH_DATABASE_WAIT_SECONDS": "0"}
    partly = QUERY.replace("averagePrices", "kind: __typename averagePrices")
    with serving(server.url, settings=settings) as (_, url), httpx.Client(headers={"Accept": media_type}) as http:
        wait_until_answered(url)
        with away(server):
            nothing, some = (
                http.post(f"{url}/graphql", json={"query": query, "variables": questions[0].variables})
                for query in (QUERY, partly)
            )
    assert (nothing.status_code, nothing.headers["retry-after"]) == (503, "2")
    assert nothing.headers["content-type"].startswith(media_type)
    assert "data" not in nothing.json()
    assert some.status_code == 200
    assert some.json()["data"] == {"kind": "Query", "averagePrices": None}
    for answer in (nothing, some):
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "DATABASE_UNAVAILABLE"}


def test_outage_rejects_requests_above_the_waiting_limit_quickly(
    crashable: tuple[CrashableServer, list[Question]],
) -> None:
    server, questions = crashable

    async def ask_all(url: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=60) as http:
            body = {"query": QUERY, "variables": questions[0].variables}
            return await asyncio.gather(*(http.post(f"{url}/graphql", json=body) for _ in range(MAX_WAITING + 200)))

    settings = {**SETTINGS, "RATESGRAPH_DATABASE_WAIT_SECONDS": "6"}
    with serving(server.url, settings=settings) as (_, url):
        wait_until_answered(url)
        with away(server):
            answers = asyncio.run(ask_all(url))
    assert {answer.status_code for answer in answers} == {503}
    quick = [answer for answer in answers if answer.elapsed.total_seconds() < ANSWER_SECONDS]
    assert len(quick) >= 50
    # The database is the reason, not the load.
    for answer in answers:
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "DATABASE_UNAVAILABLE"}
