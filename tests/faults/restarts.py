"""Rolling restarts of a server under readers: `SIGHUP`, again and again, until every process was replaced each time."""

import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.faults.readers import Reading, Readings, reading
from tests.faults.world import make_world
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import eventually

REPLACED = re.compile(r"All \d+ server processes were replaced")
RESTART_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a run: how long each restart took, and what the readers saw."""

    restarts: list[float]
    requests: int
    wrong: list[Reading]
    slowest: float


class Printed:
    """What a process prints, read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        assert process.stdout is not None
        self._lines = process.stdout
        threading.Thread(target=self._read, daemon=True).start()

    def count(self, words: re.Pattern[str]) -> int:
        """Return how many lines have the words."""
        return sum(words.search(line) is not None for line in list(self.lines))

    def _read(self) -> None:
        self.lines.extend(iter(self._lines.readline, ""))


def children(pid: int) -> set[int]:
    """Return the server processes of a supervisor; what it starts for its own use is not among them."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def restart_again_and_again(
    database_url: str, *, restarts: int, requests: int, readers: int, settings: dict[str, str]
) -> Figures:
    """Restart so often, and on until so many requests were sent."""
    questions = make_world(database_url)
    durations: list[float] = []
    with serving(database_url, "--workers", "2", settings={"RATESGRAPH_DRAIN_SECONDS": "1.5", **settings}) as (
        process,
        url,
    ):
        wait_until_answered(url)
        printed = Printed(process)
        eventually(lambda: len(children(process.pid)) == 2, "the processes were not there")
        with reading(url, questions, keeping=readers // 2, closing=readers - readers // 2) as readings:
            while len(durations) < restarts or len(readings.all) < requests:
                durations.append(_restart(process, printed, readings))
    return Figures(durations, len(readings.all), readings.wrong, max(one.seconds for one in readings.all))


def _restart(process: subprocess.Popen[str], printed: Printed, readings: Readings) -> float:
    before, asked = children(process.pid), len(readings.all)
    count = printed.count(REPLACED)
    process.send_signal(signal.SIGHUP)
    seconds = eventually(lambda: printed.count(REPLACED) > count, "the processes were not replaced", RESTART_SECONDS)
    assert before.isdisjoint(children(process.pid))
    # Somebody was answered by each generation.
    eventually(lambda: len(readings.all) > asked + 20, "nobody is answered")
    return seconds
