"""Subscriptions to batches and lanes over real connections."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import psycopg
import pytest

import db.notifications
from db.connection import Connection
from db.notifications import Notifications
from db.pool import INGEST, connect
from db.repositories import batches
from domain.batches import BatchOutcome, BatchStatus
from resolvers import price_changes, subscriptions
from tests.support.batches.uploads import VALID_ITEM
from tests.support.fixtures.server import Json, running_worker
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import ASIA_TO_EUROPE, CHANGES, ELSEWHERE, PROGRESS, THERE, each_transport, upload
from tests.support.streams import TRANSPORTS, open_subscription
from tests.support.waiting import eventually


def run_work(watched: Watched, work: Callable[[Connection], Awaitable[object]]) -> None:
    """Run the work of a worker manually."""

    async def connected() -> None:
        async with connect(watched.database_url, INGEST) as connection:
            await work(connection)

    asyncio.run(connected())


def state(answer: Json) -> tuple[str, float]:
    """Return the status and the progress in the response."""
    assert "errors" not in answer, answer
    batch = answer["data"]["batchProgress"]
    return batch["status"], batch["progress"]


def change(answer: Json) -> tuple[str, str]:
    """Return the number and the status of the batch that changed prices."""
    assert "errors" not in answer, answer
    batch = answer["data"]["pricesChanged"]["batch"]
    return str(batch["number"]), batch["status"]


def count_prices(watched: Watched) -> int:
    """Return how many prices the watched lane has on the day of all batches."""
    day = 'dateFrom: "2024-01-01", dateTo: "2024-01-01"'
    query = f'{{ averagePrices({day}, origin: "asia", destination: "europe") {{ priceCount }} }}'
    return int(watched.client.ask(query)["averagePrices"][0]["priceCount"])


@each_transport
def test_subscription_to_batch_progress_sends_every_change_until_the_batch_ends(
    watched: Watched, transport: str
) -> None:
    batch_id = upload(watched, VALID_ITEM)
    number = int(batch_id)
    with open_subscription(watched.url, transport, PROGRESS, id=batch_id) as answers:
        assert state(next(answers)) == ("QUEUED", 0)
        run_work(watched, lambda connection: batches.begin_attempt(connection, max_attempts=5))
        assert state(next(answers)) == ("RUNNING", 0)
        run_work(watched, lambda connection: batches.report_progress(connection, number, 0.25))
        assert state(next(answers)) == ("RUNNING", 0.25)
        # A report without a change sends no event.
        run_work(watched, lambda connection: batches.report_progress(connection, number, 0.25))
        run_work(watched, lambda connection: batches.report_progress(connection, number, 0.75))
        assert state(next(answers)) == ("RUNNING", 0.75)
        outcome = BatchOutcome(BatchStatus.REJECTED, 1, 0, 1)
        run_work(watched, lambda connection: batches.end_batch(connection, number, outcome))
        assert state(next(answers)) == ("REJECTED", 1)
        assert next(answers, "complete") == "complete"
    # A late subscriber receives the same final state.
    with open_subscription(watched.url, transport, PROGRESS, id=batch_id) as answers:
        assert [state(answer) for answer in answers] == [("REJECTED", 1)]


@each_transport
def test_subscription_to_batch_progress_follows_a_worker_until_the_batch_is_applied(
    watched: Watched, transport: str
) -> None:
    batch_id = upload(watched, VALID_ITEM)
    query = PROGRESS.replace("progress", "progress laneCount firstDay lastDay")
    with open_subscription(watched.url, transport, query, id=batch_id) as answers:
        assert state(next(answers)) == ("QUEUED", 0)
        with running_worker(watched.database_url):
            *_, last = answers
    batch = last["data"]["batchProgress"]
    assert (batch["status"], batch["laneCount"]) == ("APPLIED", 1)
    assert (batch["firstDay"], batch["lastDay"]) == ("2024-01-01", "2024-01-02")


def test_subscription_to_batch_progress_serves_concurrent_subscribers(watched: Watched) -> None:
    batch_id = upload(watched, VALID_ITEM)
    with ExitStack() as stack:
        both = [
            stack.enter_context(open_subscription(watched.url, transport, PROGRESS, id=batch_id))
            for transport in TRANSPORTS
        ]
        assert [state(next(answers)) for answers in both] == [("QUEUED", 0)] * 2
        outcome = BatchOutcome(BatchStatus.REJECTED, 1, 0, 1)
        run_work(watched, lambda connection: batches.end_batch(connection, int(batch_id), outcome))
        for answers in both:
            assert [state(answer) for answer in answers] == [("REJECTED", 1)]


def test_subscription_to_batch_progress_ends_despite_a_lost_notification(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = upload(watched, VALID_ITEM)
    monkeypatch.setattr(Notifications, "dispatch", lambda *_: None)
    with open_subscription(watched.url, "websocket", PROGRESS, id=batch_id) as answers:
        assert state(next(answers)) == ("QUEUED", 0)
        outcome = BatchOutcome(BatchStatus.REJECTED, 1, 0, 1)
        run_work(watched, lambda connection: batches.end_batch(connection, int(batch_id), outcome))
        assert [state(answer) for answer in answers] == [("REJECTED", 1)]


@each_transport
def test_subscription_to_price_changes_reports_applied_and_reverted_batches(watched: Watched, transport: str) -> None:
    (before,) = watched.apply(THERE)
    with open_subscription(watched.url, transport, CHANGES, **ASIA_TO_EUROPE) as answers:
        watched.wait_for_watchers(1)
        assert count_prices(watched) == 1
        _, first = watched.apply(ELSEWHERE, THERE)
        assert change(next(answers)) == (first, "APPLIED")
        # A query sent after the event returns the data from after the change.
        assert count_prices(watched) == 2
        second, third = watched.apply(THERE, THERE)
        assert [change(next(answers)) for _ in range(2)] == [(second, "APPLIED"), (third, "APPLIED")]
        watched.revert(before)
        assert change(next(answers)) == (before, "REVERTED")
        assert count_prices(watched) == 3


def test_subscription_to_price_changes_follows_the_current_region_tree(watched: Watched) -> None:
    with open_subscription(watched.url, "websocket", CHANGES, **ASIA_TO_EUROPE) as answers:
        watched.wait_for_watchers(1)
        watched.client.ask('mutation { moveLocation(key: "USNYC", parentSlug: "europe") { userErrors { code } } }')
        (batch_id,) = watched.apply(ELSEWHERE)
        assert change(next(answers)) == (batch_id, "APPLIED")


LANES = """subscription ($lanes: [LaneInput!]) {
  pricesChanged(lanes: $lanes) { status lanes { origin { key } destination { key } } batch { number } }
}"""


def lane(origin: str, destination: str) -> Json:
    """Return the lane as an argument."""
    return {"origin": origin, "destination": destination}


def named(*lanes: tuple[str, str]) -> list[Json]:
    """Return the lanes as an event names them."""
    return [{"origin": {"key": origin}, "destination": {"key": destination}} for origin, destination in lanes]


@each_transport
def test_subscription_to_price_changes_of_several_lanes_names_the_changed_ones(
    watched: Watched, transport: str
) -> None:
    lanes = [lane("usa", "asia"), lane("cnsgh", "Europe "), lane("asia", "NLRTM"), lane("CNSGH", "europe")]
    with open_subscription(watched.url, transport, LANES, lanes=lanes) as answers:
        watched.wait_for_watchers(1)
        _, there, back = watched.apply(ELSEWHERE, THERE, ("USNYC", "CNSGH"))
        events = [next(answers)["data"]["pricesChanged"] for _ in range(2)]
    assert events == [
        {"status": "APPLIED", "lanes": named(("CNSGH", "europe"), ("asia", "NLRTM")), "batch": {"number": int(there)}},
        {"status": "APPLIED", "lanes": named(("usa", "asia")), "batch": {"number": int(back)}},
    ]


def test_subscription_to_price_changes_of_one_lane_names_it(watched: Watched) -> None:
    query = CHANGES.replace("batch { number status }", "lanes { origin { key } destination { key } }")
    with open_subscription(watched.url, "sse", query, **ASIA_TO_EUROPE) as answers:
        watched.wait_for_watchers(1)
        watched.apply(THERE)
        changed = next(answers)["data"]["pricesChanged"]["lanes"]
    assert changed == named(("asia", "europe"))


@pytest.mark.parametrize(
    "arguments",
    [
        "(lanes: [])",
        '(origin: "asia")',
        '(destination: "asia")',
        '(origin: "asia", destination: null)',
        '(origin: "asia", destination: "europe", lanes: [{ origin: "asia", destination: "europe" }])',
        "(lanes: [" + '{ origin: "asia", destination: "europe" }' * 101 + "])",
    ],
)
def test_subscription_to_price_changes_requires_one_lane_or_a_bounded_list(watched: Watched, arguments: str) -> None:
    with open_subscription(watched.url, "sse", f"subscription {{ pricesChanged{arguments} {{ status }} }}") as answers:
        (answer,) = answers
    assert answer["errors"][0]["extensions"] == {"code": "INVALID_LANES", "argument": "lanes"}


def test_subscription_to_an_unknown_lane_names_its_position(watched: Watched) -> None:
    lanes = [lane("asia", "europe"), lane("asia", "europa")]
    with open_subscription(watched.url, "websocket", LANES, lanes=lanes) as answers:
        (answer,) = answers
    (error,) = answer["errors"]
    assert error["extensions"] == {
        "code": "UNKNOWN_LOCATION",
        "argument": "lanes",
        "field": "[1].destination",
        "variable": "lanes",
        "suggestions": ["europe"],
    }
    assert error["message"].startswith("lanes[1].destination: unknown location")


def listener_pids(connection: psycopg.Connection) -> set[int]:
    """Return the server's process that listens for notifications."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"
    )
    return {pid for (pid,) in rows.fetchall()}


def test_subscription_delivers_price_changes_of_a_listener_outage_exactly_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "POLL_SECONDS", 600)
    monkeypatch.setattr(db.notifications, "RECONNECT_SECONDS", 3)
    with (
        psycopg.connect(watched.database_url, autocommit=True) as connection,
        open_subscription(watched.url, "websocket", CHANGES, **ASIA_TO_EUROPE) as answers,
    ):
        watched.wait_for_watchers(1)
        eventually(lambda: listener_pids(connection), "no process listens")
        (pid,) = listener_pids(connection)
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        missed = watched.apply(THERE) + watched.apply(THERE)
        assert not listener_pids(connection)
        assert [change(next(answers))[0] for _ in missed] == missed
        eventually(lambda: listener_pids(connection) - {pid}, "no new process listens")
        (later,) = watched.apply(THERE)
        assert change(next(answers))[0] == later


def test_subscription_to_price_changes_polls_without_notifications(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Notifications, "dispatch", lambda *_: None)
    monkeypatch.setattr(subscriptions, "POLL_SECONDS", 0.1)
    with open_subscription(watched.url, "sse", CHANGES, **ASIA_TO_EUROPE) as answers:
        watched.wait_for_watchers(1)
        (batch_id,) = watched.apply(THERE)
        assert change(next(answers))[0] == batch_id


def test_subscription_to_price_changes_ends_with_an_error_if_it_lags(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_changes, "MAX_LAG_BATCHES", 3)
    with open_subscription(watched.url, "sse", CHANGES, **ASIA_TO_EUROPE) as answers:
        watched.wait_for_watchers(1)
        watched.apply(THERE, THERE, THERE)
        assert [change(next(answers))[1] for _ in range(3)] == ["APPLIED"] * 3
        watched.apply(THERE, THERE, THERE, THERE)
        (last,) = answers
        assert last["errors"][0]["extensions"] == {"code": "TOO_FAR_BEHIND"}


def test_subscription_survives_repeated_loss_of_database_connections(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "POLL_SECONDS", 0.2)
    batch_id = upload(watched, VALID_ITEM)
    with (
        open_subscription(watched.url, "websocket", PROGRESS, id=batch_id) as progress,
        open_subscription(watched.url, "websocket", CHANGES, **ASIA_TO_EUROPE) as changes,
        psycopg.connect(watched.database_url, autocommit=True) as connection,
    ):
        assert state(next(progress)) == ("QUEUED", 0)
        watched.wait_for_watchers(1)
        # All connections of the server are cut, several times.
        for _ in range(3):
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'ratesgraph-api'"
            )
        (applied,) = watched.apply(THERE)
        assert change(next(changes))[0] == applied
        outcome = BatchOutcome(BatchStatus.REJECTED, 1, 0, 1)
        run_work(watched, lambda connection: batches.end_batch(connection, int(batch_id), outcome))
        assert [state(answer) for answer in progress] == [("REJECTED", 1)]
