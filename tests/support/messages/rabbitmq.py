"""A real `rabbitmq-server` that a test can kill and start again, and its client."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from pamqp import body, frame, header
from pamqp import commands as spec
from pamqp.base import Frame

from tests.support.waiting import eventually

PROGRAMS = "/usr/lib/rabbitmq/lib"
ACCOUNT = "rabbitmq"
USER, PASSWORD = "freight", "tide-tide-tide"
START_SECONDS = 120
"""It takes some ten seconds on a busy machine."""
CONFIG = """
listeners.tcp.1 = 127.0.0.1:{port}
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.absolute = 1GB
log.console = false
default_user = freight
default_pass = tide-tide-tide
heartbeat = 10
"""


def free_ports(count: int) -> list[int]:
    """Return different free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class RabbitServer:
    """Node of RabbitMQ with files, ports and an Erlang port mapper of its own."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.port, dist_port, mapper_port = free_ports(3)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        account = pwd.getpwnam(ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
        (folder / "rabbitmq.conf").write_text(CONFIG.format(port=self.port), encoding="utf-8")
        (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
        self._variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_NODENAME": f"ratesgraph{self.port}@localhost",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "LANG": "C.UTF-8",
        }

    def url(self, password: str = PASSWORD) -> str:
        """Return the URL of the broker."""
        return f"amqp://{USER}:{password}@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the broker and wait until it accepts connections of clients."""
        if self._mapper is None:
            # Otherwise the node would start one that outlives it.
            self._mapper = subprocess.Popen(["epmd"], env=self._variables, user=ACCOUNT, group=ACCOUNT, extra_groups=[])
        with (self._folder / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program],
                env=self._variables,
                user=ACCOUNT,
                group=ACCOUNT,
                extra_groups=[],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, "RabbitMQ does not start", START_SECONDS)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "console.log").read_text(encoding="utf-8")[-2_000:]
        # The port opens last, when clients can log in.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2):
            return True
        time.sleep(0.1)
        return False

    def kill(self) -> None:
        """Kill the node and its helpers, which closes all connections. Stored messages remain."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kill all processes."""
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """Open a channel that raises if a message reaches no queue."""
        async with await aio_pika.connect(self.url(), timeout=20) as connection:
            yield await connection.channel(on_return_raises=True)


@contextmanager
def running_rabbitmq() -> Iterator[RabbitServer]:
    """Run RabbitMQ on free ports; skip the test if it cannot be run."""
    found = sorted(Path(PROGRAMS).glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not found or shutil.which("epmd") is None:
        pytest.skip("rabbitmq-server is not installed (Debian package rabbitmq-server)")
    if os.getuid() != 0:
        pytest.skip("rabbitmq-server runs as the account rabbitmq, which only root can choose")
    with tempfile.TemporaryDirectory(prefix="ratesgraph-rabbitmq-", ignore_cleanup_errors=True) as folder:
        server = RabbitServer(found[-1], Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()


def item(price: float = 10, origin: str = "CNSGH", **fields: object) -> dict[str, object]:
    """Return an item of a message."""
    return {"origin": origin, "destination": "NLRTM", "dateFrom": "2024-01-01", "price": price, **fields}


async def publish(channel: AbstractChannel, queue: str, messages: Sequence[tuple[str, Any]]) -> None:
    """Publish messages of an ID and a content, persistent and confirmed.

    Bytes are sent as they are.
    """
    await asyncio.gather(*(_publish_one(channel, queue, message_id, content) for message_id, content in messages))


async def _publish_one(channel: AbstractChannel, queue: str, message_id: str, content: Any) -> None:  # noqa: ANN401
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    message = aio_pika.Message(
        body,
        content_type="application/json",
        message_id=message_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    await channel.default_exchange.publish(message, routing_key=queue, mandatory=True)


async def count_ready(channel: AbstractChannel, queue: str) -> int:
    """Return the number of messages that wait for a consumer."""
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count or 0


async def take_all(channel: AbstractChannel, queue: str) -> list[AbstractIncomingMessage]:
    """Remove and return all messages of a queue."""
    source, taken = await channel.get_queue(queue), []
    while (message := await source.get(fail=False)) is not None:
        await message.ack()
        taken.append(message)
    return taken


def reasons(messages: Sequence[AbstractIncomingMessage]) -> list[tuple[str | None, object]]:
    """Return the ID and the code of each dead letter, sorted by code."""
    found: list[tuple[Mapping[str, object], str | None]] = [(each.headers, each.message_id) for each in messages]
    return sorted(((name, headers.get("x-ratesgraph-code")) for headers, name in found), key=str)


def publish_raw(server: RabbitServer, queue: str, message_id: bytes | None, content: bytes) -> None:
    """Publish a message with these bytes as its ID, or without an ID, and wait for the confirm.

    aio-pika encodes an ID in UTF-8, and with confirms it fills a missing one.
    """
    placeholder = None if message_id is None else "?" * len(message_id)
    properties = spec.Basic.Properties(message_id=placeholder, delivery_mode=2)
    head = frame.marshal(header.ContentHeader(body_size=len(content), properties=properties), 1)
    if placeholder and message_id:
        head = head.replace(placeholder.encode(), message_id)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(b"AMQP\0\0\x09\x01")
        _receive(sock)
        login = f"\0{USER}\0{PASSWORD}"
        _send(sock, 0, spec.Connection.StartOk({}, "PLAIN", login, "en_US"))
        _receive(sock)
        _send(sock, 0, spec.Connection.TuneOk(1, 131_072, 0))
        _send(sock, 0, spec.Connection.Open("/"))
        _receive(sock)
        _send(sock, 1, spec.Channel.Open())
        _receive(sock)
        _send(sock, 1, spec.Confirm.Select())
        _receive(sock)
        _send(sock, 1, spec.Basic.Publish(routing_key=queue))
        sock.sendall(head)
        sock.sendall(frame.marshal(body.ContentBody(content), 1))
        _receive(sock)


def _send(sock: socket.socket, channel: int, method: Frame) -> None:
    sock.sendall(frame.marshal(method, channel))


def _receive(sock: socket.socket) -> None:
    """Wait for the next frame."""
    assert sock.recv(65_536)
