"""Supervisor of server processes on one socket: restarts, and rolling restarts on SIGHUP.

It extends uvicorn's supervisor. On SIGHUP (a rolling restart) a new process must answer before an old one starts to drain. A
dead process is restarted at once, and with exponential backoff if it dies repeatedly. A process that cannot start, for example
during a database outage, does not stop the others. Supervision and signals to stop are never blocked by a restart.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from server.runtime.graceful_shutdown import REPLACED_SIGNAL, DrainingServer

log = logging.getLogger("ratesgraph.server")

READY_SECONDS = 60.0
"""Time limit for a new process to become ready.

It waits up to ten seconds for the database. Busy machines start slowly.
"""
DRAIN_TIMEOUT_SECONDS = 80.0
"""Time limit for a process to stop.

It drains for up to 60 seconds, and cancels unfinished requests after ten more.
"""
HUNG_SECONDS = 15.0
POLL_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
BACKOFF_RESET_SECONDS = 60.0
"""Lifetime after which the death of a process no longer counts as a repeated one."""


class ServerProcess(Process):
    """Process that runs a draining server."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self.started_at = time.monotonic()

    @property
    def server(self) -> uvicorn.Server:
        """Return the server, inside the process itself."""
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server

    def replace(self) -> None:
        """Signal the process that another has taken over its connections."""
        if self.process.is_alive() and self.pid is not None:
            os.kill(self.pid, REPLACED_SIGNAL)

    def end(self) -> None:
        """Kill the process unless it has ended, and wait for it."""
        self.kill()
        self.join()


@dataclass(slots=True)
class Replacement:
    """Step of a rolling restart that replaces one process."""

    index: int
    new: ServerProcess | None = None
    """Process that must become ready before the deadline. None until it is started."""
    deadline: float = 0.0
    old: ServerProcess | None = None
    """Process that drains. None until the new one is ready."""


class Supervisor(Multiprocess):
    """Supervisor of a fixed number of processes. It calls `notify` after a rolling restart.

    Attributes:
        has_failed: Whether it has stopped because its first processes could not start.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], notify: Callable[[str], None]) -> None:
        super().__init__(config, sockets)
        self._notify = notify
        self.has_failed = False
        self._have_been_ready = False
        self._pauses: dict[int, float] = {}
        self._draining: dict[ServerProcess, float] = {}
        """Processes that are stopping, and the deadlines after which they are killed."""

    def init_processes(self) -> None:
        """Start all processes."""
        self.processes = [self._start() for _ in range(self.processes_num)]

    def _start(self) -> ServerProcess:
        process = ServerProcess(self.config, self.sockets)
        process.start()
        return process

    def restart_all(self) -> None:
        """Replace the processes one by one. Abort if a new one does not become ready."""
        pending = [Replacement(index) for index in range(len(self.processes))]
        while pending:
            if self._stop_requested() or not self._tick(pending):
                self._abort(pending[0])
                return
            self.keep_subprocess_alive()
            time.sleep(POLL_SECONDS)
        self._notify(f"All {len(self.processes)} server processes were replaced.")

    def _tick(self, pending: list[Replacement]) -> bool:
        """Advance the first replacement, and remove it when complete. Return False on failure."""
        first = pending[0]
        if first.new is None:
            first.new, first.deadline = self._start(), time.monotonic() + READY_SECONDS
        elif first.old is None:
            if first.new.is_ready(timeout=1):
                first.old = self._replace(first.index, first.new)
            else:
                return time.monotonic() < first.deadline and first.new.process.is_alive()
        elif first.old not in self._draining:
            del pending[0]
        return True

    def _replace(self, index: int, new: ServerProcess) -> ServerProcess:
        """Put the new process in place of the old one. Return the old one, which drains."""
        old, self.processes[index] = self.processes[index], new
        assert isinstance(old, ServerProcess)  # noqa: S101
        old.replace()
        self._draining[old] = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        return old

    def _abort(self, replacement: Replacement) -> None:
        """Stop the new process of an unfinished replacement, unless it is in place already."""
        if replacement.new is None or replacement.old is not None:
            return
        # It may serve requests already, so it is not killed.
        replacement.new.terminate()
        self._draining[replacement.new] = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        if not self._stop_requested():
            log.error("new server process did not become ready; rolling restart aborted, the other processes stay")

    def _stop_requested(self) -> bool:
        return self.should_exit.is_set() or not {signal.SIGINT, signal.SIGTERM}.isdisjoint(self.signal_queue)

    def join_all(self) -> None:
        """Wait until all processes have stopped, including those that were already draining."""
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        for process in self.processes:
            assert isinstance(process, ServerProcess)  # noqa: S101
            self._draining[process] = deadline
        for draining, ends_at in self._draining.items():
            draining.process.join(max(0.0, ends_at - time.monotonic()))
            draining.end()

    def _reap_draining(self) -> None:
        """Drop the processes that have stopped, and kill those that exceed their deadline."""
        for process, deadline in list(self._draining.items()):
            if not process.process.is_alive() or time.monotonic() > deadline:
                process.end()
                del self._draining[process]

    def keep_subprocess_alive(self) -> None:
        """Restart processes that are dead or hung. Stop if none has ever become ready."""
        if self.should_exit.is_set():
            return
        self._reap_draining()
        self._have_been_ready = self._have_been_ready or any(process.is_ready(timeout=1) for process in self.processes)
        for index, process in enumerate(self.processes):
            if process.is_alive(timeout=HUNG_SECONDS):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE and not self._have_been_ready:
                log.error("server processes failed to start")
                self.has_failed = True
                self.should_exit.set()
                return
            self._restart_dead(index, process)

    def _restart_dead(self, index: int, dead: Process) -> None:
        """Replace a dead process, unless its backoff pause has not passed."""
        assert isinstance(dead, ServerProcess)  # noqa: S101
        now = time.monotonic()
        pause = self._pauses.get(index, 0.0)
        if now < dead.started_at + pause:
            return
        log.warning("server process %s exited with code %s; restarting it", dead.pid, dead.exitcode)
        longer = min(max(2 * pause, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
        is_isolated = now - dead.started_at > pause + BACKOFF_RESET_SECONDS
        self._pauses[index] = FIRST_PAUSE_SECONDS if is_isolated else longer
        self.processes[index] = self._start()
