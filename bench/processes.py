"""The real `ratesgraph` command as processes: a server, workers, and what memory they and PostgreSQL take meanwhile."""

import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.runtime.child_processes import COMMAND

SAMPLE_SECONDS = 0.1
UNREACHED = {"RATESGRAPH_RATE_LIMIT": "1000000000/minute", "RATESGRAPH_TOKEN_RATE_LIMIT": "1000000000/minute"}
"""All clients have one address. Their requests are counted as in use, and never refused."""


@contextmanager
def running_server(environment: Mapping[str, str]) -> Iterator[str]:
    """Run `ratesgraph serve` on a free port and yield its URL."""
    command = [*COMMAND, "serve", "--no-demo", "--port", "0"]
    with subprocess.Popen(command, env={**environment, **UNREACHED}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"answers at (http://\S+)/graphql", line):
                    yield found[1]
                    break
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def running_workers(environment: Mapping[str, str], count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run some `ratesgraph worker` processes."""
    processes = [
        subprocess.Popen([*COMMAND, "worker"], env=environment, stdout=subprocess.DEVNULL) for _ in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


@dataclass(slots=True)
class Peak:
    """The largest figure seen so far; 0 where the system tells none."""

    largest: int = 0


@contextmanager
def keep_peak(read: Callable[[], int]) -> Iterator[Peak]:
    """Yield the largest of what is read, ten times a second until the end of the block."""
    peak, end = Peak(), threading.Event()

    def keep() -> None:
        while not end.wait(SAMPLE_SECONDS):
            peak.largest = max(peak.largest, read())

    watcher = threading.Thread(target=keep, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        end.set()
        watcher.join()


def peak_memory(pid: int) -> int:
    """Return the most resident memory that a process has had, in bytes.

    The kernel's own high-water mark of the program that runs now. `ru_maxrss` would do less: it also counts the
    process that this one was forked from.
    """
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM:")


def family_memory(pid: int) -> int:
    """Return the memory of a process and its children together, in bytes, with what they share counted once."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        children = []
    # Each shared page counts with its part for each process that has it: the sum has it once.
    return sum(_kilobytes(Path(f"/proc/{process}/smaps_rollup"), "Pss:") for process in [str(pid), *children])


def _kilobytes(file: Path, name: str) -> int:
    """Return a figure of a file under /proc in bytes; 0 when the process is gone or the system is another."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
