"""Rolling restarts under load: repeated `SIGHUP` until every process is replaced.

In the middle a deployment may migrate the database and install the next release.
"""

import re
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.deployment.releases import Deployment
from tests.support.faults.readers import Reading, Readings, reading
from tests.support.faults.world import create_query_cases
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import eventually

REPLACED = re.compile(r"All \d+ server processes were replaced")
RESTART_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a run: the duration of each restart and the results of the readers."""

    restarts: list[float]
    requests: int
    failed_requests: list[Reading]
    slowest: float


class ProcessOutput:
    """Output of a process, read continuously."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        assert process.stdout is not None
        self._lines = process.stdout
        threading.Thread(target=self._read, daemon=True).start()

    def count(self, words: re.Pattern[str]) -> int:
        """Return how many lines contain the words."""
        return sum(words.search(line) is not None for line in list(self.lines))

    def _read(self) -> None:
        self.lines.extend(iter(self._lines.readline, ""))


def children(pid: int) -> set[int]:
    """Return the server processes of a supervisor, without its helper processes."""
    found = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        # One may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


def restart_repeatedly(
    database_url: str,
    *,
    restarts: int,
    requests: int,
    readers: int,
    settings: dict[str, str],
    deployment: Deployment | None = None,
) -> Figures:
    """Restart repeatedly, until both the number of restarts and of requests are reached.

    With a deployment, in an empty database, the first half of the restarts runs the previous release, and the second half this
    one. The migration runs between them, while the servers of the previous release answer.
    """
    cases = deployment.prepare(database_url) if deployment else create_query_cases(database_url)
    durations: list[float] = []
    settings = {"RATESGRAPH_DRAIN_SECONDS": "1.5", **settings, **(deployment.settings if deployment else {})}
    folder = deployment.folder if deployment else None
    with serving(database_url, "--workers", "2", settings=settings, folder=folder) as (process, url):
        wait_until_answered(url)
        output = ProcessOutput(process)
        eventually(lambda: len(children(process.pid)) == 2, "the processes did not start")
        with reading(url, cases, persistent=readers // 2, short_lived=readers - readers // 2) as readings:
            while len(durations) < restarts or len(readings.all) < requests:
                if deployment and len(durations) == restarts // 2:
                    readings.wait_for(20)
                    deployment.migrate(database_url)
                    readings.wait_for(20)
                    deployment.install()
                durations.append(_restart(process, output, readings))
    return Figures(durations, len(readings.all), readings.incorrect, max(one.seconds for one in readings.all))


def _restart(process: subprocess.Popen[str], output: ProcessOutput, readings: Readings) -> float:
    before, count_before = children(process.pid), len(readings.all)
    count = output.count(REPLACED)
    process.send_signal(signal.SIGHUP)
    seconds = eventually(lambda: output.count(REPLACED) > count, "the processes were not replaced", RESTART_SECONDS)
    assert before.isdisjoint(children(process.pid))
    # Each generation answered some requests.
    eventually(lambda: len(readings.all) > count_before + 20, "no request is answered")
    return seconds
