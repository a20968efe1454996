"""Real `ratesgraph` processes, a server and workers, and memory measurements."""

import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.runtime.child_processes import COMMAND

SAMPLE_SECONDS = 0.1
NO_RATE_LIMIT = {"RATESGRAPH_RATE_LIMIT": "1000000000/minute", "RATESGRAPH_TOKEN_RATE_LIMIT": "1000000000/minute"}
"""All clients share one address. Their requests are counted as in production, and never rejected."""


@contextmanager
def running_server(environment: Mapping[str, str]) -> Iterator[str]:
    """Run `ratesgraph serve` on a free port and yield its URL."""
    command = [*COMMAND, "serve", "--no-demo", "--port", "0"]
    with subprocess.Popen(command, env={**environment, **NO_RATE_LIMIT}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if address := re.search(r"(http://\S+)/graphql", line):
                    yield address[1]
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


@contextmanager
def running_consumer(environment: Mapping[str, str], queue: str) -> Iterator[None]:
    """Run `ratesgraph consume` on the queue, from the moment it consumes until it has stopped."""
    command = [*COMMAND, "consume", "--queue", queue]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.terminate()
            process.wait(30)


@dataclass(slots=True)
class Peak:
    """Largest value so far; 0 if the system reports none."""

    largest: int = 0


@contextmanager
def track_peak(read: Callable[[], int]) -> Iterator[Peak]:
    """Sample a value ten times per second during the block and yield its maximum."""
    peak, end = Peak(), threading.Event()

    def sample() -> None:
        while not end.wait(SAMPLE_SECONDS):
            peak.largest = max(peak.largest, read())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peak
    finally:
        end.set()
        sampler.join()


def peak_memory(pid: int) -> int:
    """Return the peak resident memory of a process, in bytes.

    This is the kernel's high-water mark of the current program. `ru_maxrss` is less exact: it includes the process that this
    one was forked from.
    """
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM:")


def family_memory(pid: int) -> int:
    """Return the memory of a process and its children in bytes, with shared pages counted once."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        children = []
    # Pss divides each shared page among the processes that map it, so the sum contains it once.
    return sum(_kilobytes(Path(f"/proc/{process}/smaps_rollup"), "Pss:") for process in [str(pid), *children])


def _kilobytes(file: Path, name: str) -> int:
    """Return a value of a file under /proc in bytes; 0 if the file does not exist."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
