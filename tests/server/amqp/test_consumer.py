"""`ratesgraph consume` as a process, with RabbitMQ: messages become prices exactly once."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aio_pika.abc import AbstractChannel

from tests.chaos.messages import MessageScale, run_message_chaos
from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.fixtures.server import running_server, running_worker
from tests.support.messages.consumers import running_consumer, stored_ids, wait_until_stored
from tests.support.messages.rabbitmq import (
    PASSWORD,
    RabbitServer,
    count_ready,
    item,
    publish,
    publish_raw,
    reasons,
    running_rabbitmq,
    take_all,
)
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

T = TypeVar("T")
SOON = "--max-seconds=0.2"
BATCH = """query ($key: String!) { batchByKey(idempotencyKey: $key) {
  number status onError source uploader itemCount acceptedCount
  rejections { edges { node { item field code messageId } } }
} }"""


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitServer]:
    """Yield a broker.

    Its start takes some ten seconds, so the tests share it and use different queues.
    """
    with running_rabbitmq() as server:
        yield server


def with_channel(rabbitmq: RabbitServer, work: Callable[[AbstractChannel], Coroutine[Any, Any, T]]) -> T:
    """Run the work with a channel and return its result."""

    async def main() -> T:
        async with rabbitmq.channel() as channel:
            return await work(channel)

    return asyncio.run(main())


def send(rabbitmq: RabbitServer, queue: str, *messages: tuple[str, Any]) -> None:
    """Publish the messages."""
    with_channel(rabbitmq, lambda channel: publish(channel, queue, messages))


def take_dead(rabbitmq: RabbitServer, queue: str, count: int) -> list[Any]:
    """Wait for that many dead letters of the queue, remove and return them."""
    name = f"{queue}.dead"
    eventually(lambda: with_channel(rabbitmq, lambda each: count_ready(each, name)) >= count, "no dead letters", 60)
    return with_channel(rabbitmq, lambda each: take_all(each, name))


def test_messages_become_prices_once_and_refused_ones_dead_letters(
    rabbitmq: RabbitServer, database_url: str, tmp_path: Path
) -> None:
    create_locations(database_url)
    settings, options = {"RATESGRAPH_MAX_MESSAGE_BYTES": "1000"}, (SOON, "--owner=token:feed")
    with running_consumer(database_url, rabbitmq.url(), "prices", tmp_path / "log", *options, **settings) as consumer:
        good = [("one", item(10)), ("two", [item(20), item(5, origin="CNXXX")]), ("two", [item(20), item(5, "CNXXX")])]
        bad = [
            ("two", item(99)),
            ("text", b"price: 10"),
            ("fields", {**item(), "vessel": "x"}),
            ("empty", []),
            ("large", item(origin="X" * 1_000)),
            ("surrogate", b'{"origin": "\\ud800"}'),
            ("a\nb", item()),
        ]
        send(rabbitmq, "prices", *good, *bad)
        publish_raw(rabbitmq, "prices", None, json.dumps(item()).encode())
        dead = take_dead(rabbitmq, "prices", len(bad) + 1)
        send(rabbitmq, "prices", ("one", item(10)), ("one", item(11)), ("three", item(30)))
        wait_until_stored(database_url, 3)
        dead += take_dead(rabbitmq, "prices", 1)
        output = consumer.stop()
    codes = [code for _, code in reasons(dead)]
    assert sorted(map(str, codes)) == [
        "BAD_JSON",
        "BAD_JSON",
        "BAD_JSON",
        "EMPTY_BATCH",
        "INVALID_MESSAGE_ID",
        "INVALID_MESSAGE_ID",
        "MESSAGE_ID_REUSED",
        "MESSAGE_ID_REUSED",
        "MESSAGE_TOO_LARGE",
    ]
    assert all(each.headers["x-ratesgraph-reason"] and each.headers["x-ratesgraph-queue"] == "prices" for each in dead)
    assert [each.body for each in dead if each.message_id == "text"] == [b"price: 10"]
    assert "Received 14 messages: 3 stored in 2 batches, 9 dead-lettered, the rest repeated." in output
    assert stored_ids(database_url) == ["one", "three", "two"]
    assert with_channel(rabbitmq, lambda channel: count_ready(channel, "prices")) == 0

    token = create_api_token(database_url, "upload", name="feed")
    with running_worker(database_url), running_server(database_url) as client:
        client.http.headers.update(authorization_header(token))

        def ended(key: str) -> Any:  # noqa: ANN401
            batch = client.ask(BATCH, key=key)["batchByKey"]
            return batch if batch["status"] not in {"QUEUED", "RUNNING"} else None

        eventually(lambda: ended("two") and ended("three"), "the batches are not applied", 60)
        first = ended("two")
        assert first == ended("one") | {"number": first["number"]}
        edges = first.pop("rejections")["edges"]
        assert first == {
            "number": first["number"],
            "status": "APPLIED",
            "onError": "SKIP_INVALID",
            "source": "prices (2 messages)",
            "uploader": "token:feed",
            "itemCount": 3,
            "acceptedCount": 2,
        }
        assert edges == [{"node": {"item": 3, "field": "origin", "code": "UNKNOWN_PORT", "messageId": "two"}}]
        average = '{ averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "CNSGH", destination: "NLRTM")'
        assert client.ask(average + "{ averagePrice priceCount } }")["averagePrices"] == [
            {"averagePrice": 20, "priceCount": 3}
        ]
        revert = "mutation ($id: ID!) { revertBatch(id: $id) { batch { status } } }"
        assert client.ask(revert, id=str(first["number"])) == {"revertBatch": {"batch": {"status": "REVERTED"}}}
        assert client.ask(average + "{ priceCount } }")["averagePrices"] == [{"priceCount": 1}]
    ratesgraph_in_process(database_url, "verify")
    audit = ratesgraph_in_process(database_url, "audit").stdout
    assert audit.count("amqp:prices") == 2


def test_message_that_the_client_library_cannot_read_is_dead_lettered_alone(
    rabbitmq: RabbitServer, database_url: str, tmp_path: Path
) -> None:
    options = ("--max-seconds=2", "--prefetch=50")
    with running_consumer(database_url, rabbitmq.url(), "hostile", tmp_path / "log", *options) as consumer:
        neighbours = [(f"m{number}", item(number)) for number in range(20)]
        send(rabbitmq, "hostile", *neighbours[:10])
        publish_raw(rabbitmq, "hostile", b"\xff\xfe", b"{}")
        send(rabbitmq, "hostile", *neighbours[10:])
        wait_until_stored(database_url, 20)
        name = "hostile.dead"
        eventually(lambda: with_channel(rabbitmq, lambda each: count_ready(each, name)), "no dead letter", 60)
        assert with_channel(rabbitmq, lambda channel: count_ready(channel, name)) == 1
        consumer.stop()
    assert stored_ids(database_url) == sorted(name for name, _ in neighbours)


def test_consumer_stops_consuming_while_the_database_is_away(
    rabbitmq: RabbitServer, database_url: str, tmp_path: Path
) -> None:
    with (
        running_database_proxy(database_url) as (proxy, url),
        running_consumer(url, rabbitmq.url(), "outage", tmp_path / "log", SOON, "--prefetch=10") as consumer,
    ):
        send(rabbitmq, "outage", ("before", item()))
        wait_until_stored(database_url, 1)
        server, proxy.server = proxy.server, None
        proxy.cut()
        send(rabbitmq, "outage", *((f"away{number}", item()) for number in range(30)))
        consumer.wait_for("not consuming")
        # Those at hand stay there: they are neither rejected nor delivered again.
        assert with_channel(rabbitmq, lambda channel: count_ready(channel, "outage")) == 20
        proxy.server = server
        wait_until_stored(database_url, 31)
        consumer.wait_for("the database stores messages again")
        output = consumer.stop()
    assert "Received 31 messages: 31 stored" in output
    assert with_channel(rabbitmq, lambda channel: count_ready(channel, "outage.dead")) == 0


def test_consumer_connects_again_after_a_restart_of_the_broker(
    rabbitmq: RabbitServer, database_url: str, tmp_path: Path
) -> None:
    with running_consumer(database_url, rabbitmq.url(), "restart", tmp_path / "log", SOON) as consumer:
        send(rabbitmq, "restart", ("before", item()))
        wait_until_stored(database_url, 1)
        rabbitmq.kill()
        consumer.wait_for("connecting again")
        rabbitmq.start()
        consumer.wait_for("connected to the broker again")
        send(rabbitmq, "restart", ("before", item()), ("after", item()))
        wait_until_stored(database_url, 2)
        output = consumer.stop()
        assert PASSWORD not in consumer.log + output
        assert "Traceback" not in consumer.log
    assert stored_ids(database_url) == ["after", "before"]


def test_sigterm_stores_the_messages_at_hand(rabbitmq: RabbitServer, database_url: str, tmp_path: Path) -> None:
    with running_consumer(database_url, rabbitmq.url(), "term", tmp_path / "log", "--max-seconds=60") as consumer:
        send(rabbitmq, "term", *((f"m{number}", item()) for number in range(5)))
        eventually(
            lambda: with_channel(rabbitmq, lambda channel: count_ready(channel, "term")) == 0, "nothing delivered", 60
        )
        assert stored_ids(database_url) == []
        assert "Received 5 messages: 5 stored in 1 batch," in consumer.stop()
    assert len(stored_ids(database_url)) == 5


def test_messages_are_stored_once_while_consumers_are_killed(
    rabbitmq: RabbitServer, database_url: str, tmp_path: Path
) -> None:
    figures = run_message_chaos(rabbitmq, database_url, tmp_path, MessageScale(messages=3_000, kills=6, consumers=2))
    assert figures.violations == []
    assert figures.kills == 6


def test_errors_of_the_broker_have_a_code_and_no_password(rabbitmq: RabbitServer, database_url: str) -> None:
    def fail(*options: str, url: str = rabbitmq.url()) -> str:
        settings = {"RATESGRAPH_AMQP_URL": url}
        error = ratesgraph_in_process(database_url, "consume", *options, settings=settings, exit_code=1).stderr
        assert PASSWORD not in error
        assert "not-the-password" not in error
        return error

    with_channel(rabbitmq, lambda channel: channel.declare_queue("classic", durable=True))
    mismatch = fail("--queue", "classic")
    assert mismatch.startswith("QUEUE_MISMATCH: ")
    assert "inequivalent arg" in mismatch
    assert fail("--queue", "missing", "--no-declare").startswith("QUEUE_NOT_FOUND: ")
    assert fail("--queue", "x", url=rabbitmq.url("not-the-password")).startswith("BROKER_REFUSED: ")
    assert fail("--queue", "x", url=f"{rabbitmq.url()}no-such-host").startswith("BROKER_REFUSED: ")
