"""Process of the embedded PostgreSQL (its "postmaster"): find, start, await, stop.

Process IDs in files are never trusted: after a crash the number may belong to any program. A process counts as the server if
it is a `postgres` of the owner of the data, and works on this data folder.
"""

import logging
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

import psutil
from psycopg import pq

from db.embedded.cluster import MARKER, WORKING_FOLDER, Cluster
from db.embedded.usage import StartAbandoned, try_lock
from db.errors import EmbeddedServerError
from domain.paths import printable

log = logging.getLogger("ratesgraph.db")

POLL_SECONDS = 0.05
ANSWER_SECONDS = 60.0
"""Time limit for a running server to react to connections at all. Crash recovery, which it reports, may last longer."""
REPORT_SECONDS = 10.0
"""Duration of a start after which the log mentions crash recovery."""
LOCK_SECONDS = 10.0
"""Time limit for the last processes of an earlier server to end. After a crash they end within a second."""
STOP_STEPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0), (signal.SIGKILL, 5.0))
"""Signals that stop PostgreSQL (fast shutdown, immediate shutdown, end of the process), and seconds to wait after each."""
MAX_PID = 2**31 - 1
MAX_LOG_BYTES = 20_000


class Postmaster:
    """Server process, started by this process or by another one.

    `log_offset` is the size of the server's log at its start.
    """

    def __init__(self, process: psutil.Process, log_offset: int = 0) -> None:
        self._process = process
        self.log_offset = log_offset

    def is_alive(self) -> bool:
        """Return whether the process is running.

        Its ID alone is not enough: another process may have received it since.
        """
        try:
            if not self._process.is_running():
                return False
            if self._process.status() != psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return False
        # If it was a child of this process, its exit code must be collected.
        with suppress(ChildProcessError):
            os.waitpid(self._process.pid, os.WNOHANG)
        return False

    def stop(self) -> None:
        """Stop the server and wait for its end: gracefully, then by force."""
        for number, seconds in STOP_STEPS:
            # psutil signals no process that has received the ID since.
            with suppress(psutil.NoSuchProcess):
                self._process.send_signal(number)
            deadline = time.monotonic() + seconds
            while self.is_alive():
                if time.monotonic() > deadline:
                    log.error("embedded PostgreSQL did not stop within %g s of %s", seconds, number.name)
                    break
                time.sleep(POLL_SECONDS)
            else:
                return


def find_postmaster(cluster: Cluster) -> Postmaster | None:
    """Return the server process of the data folder, or None if it does not run."""
    owner = cluster.data.stat().st_uid
    found: dict[int, psutil.Process] = {}
    for pid in psutil.pids():
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.name() == "postgres" and process.uids().real == owner and _is_postmaster(process, cluster.data):
                found[pid] = process
    for process in found.values():
        with suppress(psutil.Error):
            # A process that the server has just forked looks like the server itself.
            if process.ppid() not in found:
                return Postmaster(process)
    return None


def _is_postmaster(process: psutil.Process, data: Path) -> bool:
    """Return whether a `postgres` process is the server of the folder.

    A child process of the server and a process in single-user mode are not.
    """
    arguments = process.cmdline()
    if process.status() == psutil.STATUS_ZOMBIE or "--single" in arguments:
        return False
    return _is_same_folder(_data_folder(arguments), data)


def _data_folder(arguments: list[str]) -> str | None:
    """Return the data folder that the command line of a `postgres` names, if any."""
    if "-D" not in arguments[:-1]:
        return None
    path = arguments[arguments.index("-D") + 1]
    if path != WORKING_FOLDER:
        return path
    # The link would lead to the working folder of this process.
    markers = [each.removeprefix(MARKER) for each in arguments if each.startswith(MARKER)]
    return os.fsdecode(unquote_to_bytes(markers[0])) if markers else None


def _is_same_folder(path: str | None, data: Path) -> bool:
    try:
        return path is not None and Path(path).samefile(data)
    except OSError:
        return False


def start(cluster: Cluster, abandoned: threading.Event) -> Postmaster:
    """Start the server process. The caller has checked that none runs.

    Raise StartAbandoned if `abandoned` is set before the processes of an earlier server have ended.
    """
    with cluster.open_server_lock() as lock, cluster.open_log() as file:
        _lock_data(cluster, lock.fileno(), abandoned)
        _remove_stale_lock_files(cluster)
        log_offset = file.tell()
        child = subprocess.Popen(  # noqa: S603
            cluster.server_command(),
            stdout=file,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal must reach only the users of the server. The last of them stops it.
            start_new_session=True,
            # The server and all its processes hold the lock as long as they run.
            pass_fds=[lock.fileno()],
            **cluster.process_options(),
        )
    # The server may outlive this process, so its end is found as that of a server which another process started.
    child.returncode = 0
    return Postmaster(psutil.Process(child.pid), log_offset)


def _lock_data(cluster: Cluster, lock: int, abandoned: threading.Event) -> None:
    """Acquire the lock that all processes of a server hold, after the end of an earlier one.

    Two servers would destroy the data. The list of processes does not show one in another container that has the same folder.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while not try_lock(lock):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL was not started in {printable(cluster.data)}: a server that this process cannot see"
                " uses the folder, such as one in another container. Stop it, choose another --data-dir, or set DATABASE_URL."
            )
        if abandoned.wait(POLL_SECONDS):
            raise StartAbandoned


def wait_until_ready(cluster: Cluster, postmaster: Postmaster, abandoned: threading.Event) -> None:
    """Wait until the server accepts connections, however long crash recovery takes.

    Raise EmbeddedServerError if its process ends or does not react, StartAbandoned if `abandoned` is set.
    """
    started = answered = time.monotonic()
    is_reported = False
    while True:
        match pq.PGconn.ping(f"{cluster.url}&connect_timeout=2".encode()):
            case pq.Ping.OK:
                return
            case pq.Ping.REJECT:
                answered = time.monotonic()
        if not postmaster.is_alive():
            raise EmbeddedServerError(_describe_failure(cluster, postmaster.log_offset))
        if time.monotonic() > answered + ANSWER_SECONDS:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL in {printable(cluster.data)} runs, but does not answer. See {printable(cluster.log)}."
            )
        if not is_reported and time.monotonic() > started + REPORT_SECONDS:
            is_reported = True
            log.warning("embedded PostgreSQL is still starting; crash recovery may take minutes")
        if abandoned.wait(POLL_SECONDS):
            raise StartAbandoned


def _describe_failure(cluster: Cluster, log_offset: int) -> str:
    """Return the message for a server that ended during its start.

    It contains the last lines that the server has logged since.
    """
    with cluster.log.open("rb") as file:
        file.seek(max(log_offset, file.seek(0, os.SEEK_END) - MAX_LOG_BYTES))
        reason = cluster.summarize_output(file.read()) or "it ended without a message"
    return (
        f"The embedded PostgreSQL could not be started in {printable(cluster.data)}: {reason}."
        f" See {printable(cluster.log)}, choose another --data-dir, or set DATABASE_URL."
    )


def _remove_stale_lock_files(cluster: Cluster) -> None:
    """Remove lock files that would prevent PostgreSQL from starting forever.

    PostgreSQL itself replaces a lock file of a process that is gone. It refuses to start if the number belongs to another
    program by now. It also refuses if the file is empty or damaged, as a full disk or a power failure leaves it.
    """
    for path in cluster.lock_files:
        try:
            first_line = path.read_bytes().partition(b"\n")[0].strip()
        except FileNotFoundError:
            continue
        if (problem := _find_staleness(first_line, cluster)) is not None:
            path.unlink()
            log.warning("removed the stale lock file %s of the embedded PostgreSQL: %s", path.name, problem)


def _find_staleness(first_line: bytes, cluster: Cluster) -> str | None:
    """Return why PostgreSQL could not replace a lock file with this first line, or None."""
    # In single-user mode the number is negative.
    if not re.fullmatch(rb"-?[1-9][0-9]{0,9}", first_line) or abs(int(first_line)) > MAX_PID:
        return "it contains no process ID"
    try:
        process = psutil.Process(abs(int(first_line)))
        if process.status() == psutil.STATUS_ZOMBIE:
            return f"process {process.pid} has ended"
        if process.name() == "postgres" and _works_in(process, cluster.data):
            return None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # PostgreSQL ignores the process of another user itself.
        return None
    return f"process {process.pid} is another program"


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Return whether a `postgres` process works on the data folder, in any mode."""
    paths = [_data_folder(process.cmdline())]
    # Only root and the owner may see the working folder of a process.
    with suppress(psutil.AccessDenied):
        paths.append(process.cwd())
    return any(_is_same_folder(path, data) for path in paths)
