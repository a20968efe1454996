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
from tests.support.waiting import eventually

Line = dict[str, Any]


class Log:
    """The standard error of a process, which must be JSON from its first line to its last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def text(self) -> str:
        return self._path.read_text()

    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    def find(self, **wanted: object) -> Line:
        """Wait for a line, and return it."""
        found: list[Line] = []

        def has_come() -> bool:
            whole = [json.loads(line) for line in self.text.splitlines(keepends=True) if line.endswith("\n")]
            found[:] = [line for line in whole if wanted.items() <= line.items()]
            return bool(found)

        eventually(has_come, f"no line has {wanted}")
        return found[0]


@contextmanager
def logging_server(
    database_url: str, tmp_path: Path, *arguments: str, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], str, Log]]:
    """Serve a database with a port, log every request, and yield the process, its URL and its log."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO locations (kind, key, name, search_text) VALUES ('PORT', 'CNSGH', 'Shanghai', '')"
        )
    path = tmp_path / "log"
    with (
        path.open("w") as log,
        serving(database_url, *arguments, settings={"RATESGRAPH_LOG_LEVEL": "info", **settings}, log=log) as (
            process,
            url,
        ),
    ):
        wait_until_answered(url)
        yield process, url, Log(path)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        # Whatever the process has said until its end is JSON.
        for line in Log(path).lines():
            assert {"timestamp", "level", "event"} <= line.keys()
