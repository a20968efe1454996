"""A real `redis-server` on loopback that a test can kill, suspend and start again."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from tests.support.commands.ports import find_free_port
from tests.support.waiting import DEADLINE_SECONDS

PASSWORD = "tide-tide-tide"  # noqa: S105


class RedisServer:
    """Process of Redis without persistence: a restart loses all counts."""

    def __init__(self, command: str, port: int) -> None:
        self._command = [command, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD]
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL for the setting of the storage."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self._port}/0"

    @property
    def settings(self) -> dict[str, SecretStr]:
        """Return the settings of a server that counts here."""
        return {"rate_limit_storage": SecretStr(self.url)}

    def start(self) -> None:
        """Start Redis and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return b"PONG" in self.execute("PING")
        except OSError:
            return False

    def execute(self, command: str) -> bytes:
        """Run an inline command and return the raw replies to AUTH and to the command."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=DEADLINE_SECONDS) as sock:
            sock.sendall(f"AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n".encode())
            with sock.makefile("rb") as replies:
                return replies.read()

    def count(self, caller: str) -> int:
        """Return the sum of the counts of a caller's windows."""
        script = (
            "local sum = 0 for _, key in ipairs(redis.call('KEYS', ARGV[1])) do sum = sum + redis.call('GET', key) end"
        )
        reply = self.execute(f'EVAL "{script} return sum" 0 *{caller}/*')
        return int(reply.split(b":")[1].split()[0])

    def suspend(self) -> None:
        """Stop the process as a hang does: it accepts connections and never replies."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Kill the process, which closes all its connections."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Run Redis on a free port; skip the test if it is not installed."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip("redis-server is not installed (Debian package redis-server)")
    pytest.importorskip("redis", reason="the extra `redis` is not installed")
    redis = RedisServer(command, find_free_port())
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()
