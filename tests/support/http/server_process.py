"""`ratesgraph serve` as a process: start it, wait for its URL, stop it."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from tests.support.commands.processes import COMMAND, environment
from tests.support.waiting import DEADLINE_SECONDS


@contextmanager
def serving(
    database_url: str | None,
    *arguments: str | Path,
    settings: Mapping[str, str] | None = None,
    log: IO[str] | int = subprocess.STDOUT,
    folder: Path | None = None,
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `serve` on a free port without a drain period; yield the process and the URL.

    `folder` is its current folder.
    """
    with subprocess.Popen(
        [COMMAND, "serve", "--port", "0", *arguments],
        env={
            **environment(database_url),
            "PYTHONUNBUFFERED": "1",
            "RATESGRAPH_DRAIN_SECONDS": "0",
            **(settings or {}),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process, _wait_for_url(process)
        finally:
            # On SIGTERM the command also stops its database. After SIGKILL the database would remain.
            process.terminate()
            try:
                process.wait(timeout=DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def _wait_for_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(r"answers at (http://\S+)/graphql", line):
            return found[1]
    raise AssertionError(f"the server ended before it answered:\n{printed}")


def wait_until_answered(url: str) -> httpx.Response:
    """Poll the readiness probe until the server responds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return httpx.get(f"{url}/readyz", timeout=5)
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the server does not respond"
            time.sleep(0.05)


def one_line(text: str) -> str:
    """Return the text, which must be a single line."""
    assert text.strip().count("\n") == 0, text
    return text
