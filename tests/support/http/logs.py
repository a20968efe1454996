"""A server process whose log lines are collected and parsed."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

Line = dict[str, Any]
QUIET = {"RATESGRAPH_LOG_LEVEL": "info", "RATESGRAPH_SLOW_SECONDS": "60"}
"""Settings with which no request is reported as slow, on a machine that does many other things."""


class Log:
    """Standard error of a process, in which every line must be JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def text(self) -> str:
        return self._path.read_text()

    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    def find(self, **wanted: object) -> Line:
        """Wait for a line with these values and return it."""
        found: list[Line] = []

        def is_logged() -> bool:
            whole = [json.loads(line) for line in self.text.splitlines(keepends=True) if line.endswith("\n")]
            found[:] = [line for line in whole if wanted.items() <= line.items()]
            return bool(found)

        eventually(is_logged, f"no log line has {wanted}")
        return found[0]


@contextmanager
def logging_server(
    database_url: str, tmp_path: Path, *arguments: str, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], str, Log]]:
    """Serve a database with a port and log every request; yield process, URL and log."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO locations (kind, key, name, search_text) VALUES ('PORT', 'CNSGH', 'Shanghai', '')"
        )
    path = tmp_path / "log"
    with (
        path.open("w") as log,
        serving(database_url, *arguments, settings={**QUIET, **settings}, log=log) as (process, url),
    ):
        wait_until_answered(url)
        yield process, url, Log(path)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=DEADLINE_SECONDS)
        # Every line until the end of the process is JSON.
        for line in Log(path).lines():
            assert {"timestamp", "level", "event"} <= line.keys()
