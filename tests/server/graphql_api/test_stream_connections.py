"""Connections under subscriptions: errors, idle resources, and cleanup after a disconnect."""

import json
import logging
from contextlib import ExitStack

import pytest

from tests.support.batches.mutations import MOVE
from tests.support.batches.uploads import VALID_ITEM
from tests.support.fixtures.server import Json
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import ASIA_TO_EUROPE, CHANGES, ELSEWHERE, PROGRESS, THERE, each_transport, upload
from tests.support.streams import TRANSPORTS, open_events, open_socket, open_subscription, operation_results, subscribe
from tests.support.waiting import eventually

SECRET = "host=db7 password=hunter2"  # noqa: S105


def only_error(watched: Watched, transport: str, query: str, **variables: object) -> Json:
    """Return the only error of the only result."""
    with open_subscription(watched.url, transport, query, **variables) as found:
        (answer,) = found
    (error,) = answer["errors"]
    failure: Json = error
    return failure


@each_transport
@pytest.mark.parametrize("id_", ["0", "x", "-1", "9" * 40, ""])
def test_subscription_to_an_unknown_batch_is_rejected(watched: Watched, transport: str, id_: str) -> None:
    error = only_error(watched, transport, PROGRESS, id=id_)
    assert error["extensions"] == {"code": "UNKNOWN_BATCH", "argument": "id", "variable": "id"}
    assert error["path"] == ["batchProgress"]


@each_transport
def test_subscription_to_an_unknown_location_suggests_similar_keys(watched: Watched, transport: str) -> None:
    error = only_error(watched, transport, CHANGES, origin="CNSGH", destination="europa")
    named = {"argument": "destination", "variable": "destination"}
    assert error["extensions"] == {"code": "UNKNOWN_LOCATION", **named, "suggestions": ["europe"]}


@each_transport
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { pricesChanged { batch { id } } }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { batchProgress(id: "1") { id } pricesChanged { batch { id } } }', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_invalid_subscription_is_answered_with_a_validation_error(
    watched: Watched, transport: str, query: str, code: str
) -> None:
    with open_subscription(watched.url, transport, query) as found:
        (answer,) = found
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}


@each_transport
@pytest.mark.parametrize(
    "place",
    [
        "resolvers.subscriptions.find_batch",
        "resolvers.uploads.batches.find_batch",
        "graph.subscription.to_batch",
        "graph.types.batches.list_lanes",
    ],
    ids=["at start", "while waiting", "in an event", "in an event field"],
)
def test_subscription_exception_is_masked_and_logged_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, transport: str, place: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    batch_id = upload(watched, VALID_ITEM)
    monkeypatch.setattr(place, fail)
    with open_subscription(
        watched.url, transport, PROGRESS.replace("status", "lanes { totalCount }"), id=batch_id
    ) as found:
        answer = next(found)
    assert SECRET not in json.dumps(answer)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "INTERNAL_ERROR"
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert error["extensions"]["errorId"] in record.getMessage()
    assert SECRET in logging.Formatter().format(record)


def test_waiting_subscriptions_occupy_no_database_connection(watched: Watched) -> None:
    batch_id = upload(watched, VALID_ITEM)
    with ExitStack() as stack:
        for transport in TRANSPORTS * 5:
            stack.enter_context(open_subscription(watched.url, transport, CHANGES, **ASIA_TO_EUROPE))
        followed = [
            stack.enter_context(open_subscription(watched.url, transport, PROGRESS, id=batch_id))
            for transport in TRANSPORTS * 5
        ]
        assert len([next(states) for states in followed]) == 10
        watched.wait_for_watchers(10)
        assert watched.waiting() == 20
        # Two connections of the pool and the listening one: all are idle.
        eventually(
            lambda: watched.api_connections() == ["idle"] * 3, "a connection is busy while all subscriptions wait"
        )
        assert watched.client.ask("{ batches { totalCount } }") == {"batches": {"totalCount": 1}}


def test_disconnected_subscription_clients_leave_no_waiters_or_busy_connections(watched: Watched) -> None:
    batch_id = upload(watched, VALID_ITEM)
    with ExitStack() as stack:
        sockets = [stack.enter_context(open_socket(watched.url)) for _ in range(3)]
        for socket in sockets:
            subscribe(socket, PROGRESS, {"id": batch_id}, "progress")
            subscribe(socket, CHANGES, ASIA_TO_EUROPE, "changes")
        streams = [stack.enter_context(open_events(watched.url, CHANGES, ASIA_TO_EUROPE)) for _ in range(3)]
        watched.wait_for_watchers(6)
        eventually(lambda: watched.waiting() == 9, "not all subscriptions wait")
        for socket in sockets:
            socket.socket.close()
        for stream in streams:
            stream.close()
        eventually(lambda: watched.waiting() == 0, "a waiter remains")
    watched.apply(THERE)
    assert not watched.notifications[0]._waiting
    eventually(lambda: watched.api_connections() == ["idle"] * 3, "a connection is still busy")


def test_cancelled_subscription_stops_waiting_and_its_websocket_stays_usable(watched: Watched) -> None:
    with open_socket(watched.url) as socket:
        subscribe(socket, CHANGES, ASIA_TO_EUROPE)
        watched.wait_for_watchers(1)
        socket.send('{"id": "1", "type": "complete"}')
        eventually(lambda: watched.waiting() == 0, "the cancelled subscription still waits")
        subscribe(socket, "{ batches { totalCount } }", {})
        assert [answer["data"]["batches"]["totalCount"] for answer in operation_results(socket)] == [0]


def test_loader_cache_is_not_shared_between_websocket_operations(watched: Watched) -> None:
    query = '{ port(code: "USNYC") { parent { key } } }'
    with open_socket(watched.url) as socket:
        for region in ("europe", "asia"):
            watched.client.ask(MOVE, key="USNYC", parent=region)
            subscribe(socket, query, {})
            assert [answer["data"]["port"]["parent"]["key"] for answer in operation_results(socket)] == [region]


@each_transport
def test_loader_cache_is_not_shared_between_subscription_events(watched: Watched, transport: str) -> None:
    query = """subscription { pricesChanged(origin: "CNSGH", destination: "USNYC") { batch {
        lanes { totalCount edges { node { origin { code } destination { code parent { key } } } } } } } }"""
    with open_subscription(watched.url, transport, query) as found:
        watched.wait_for_watchers(1)
        for region in ("usa", "europe"):
            watched.client.ask(MOVE, key="USNYC", parent=region)
            watched.apply(ELSEWHERE)
            lanes = next(found)["data"]["pricesChanged"]["batch"]["lanes"]
            ends = {"origin": {"code": "CNSGH"}, "destination": {"code": "USNYC", "parent": {"key": region}}}
            assert lanes == {"totalCount": 1, "edges": [{"node": ends}]}
