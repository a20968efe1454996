"""Several server processes on one socket: started again when they die, and replaced one after the other on SIGHUP.

Uvicorn's supervisor does the most of it. Beyond that, a new process answers before an old one is told to leave, and that one
knows that it was replaced; a process that dies is started again at once, and more and more rarely when it does so again and
again; one that cannot start, while the database is away, does not end the others. Whatever is waited for, the others are looked
after meanwhile, and a signal to stop is heard.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from server.runtime.graceful_shutdown import REPLACED_SIGNAL, DrainingServer

log = logging.getLogger("ratesgraph.server")

READY_SECONDS = 60.0
"""A new process waits for the database for up to ten of these, and a busy machine is slow to start one."""
DRAIN_TIMEOUT_SECONDS = 80.0
"""What a process may take to leave: it lingers for up to 60 of these, and gives up what is under way after ten more."""
HUNG_SECONDS = 15.0
POLL_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
BACKOFF_RESET_SECONDS = 60.0
"""A process that has lived as long may die without being suspected of doing so again."""


class ServerProcess(Process):
    """A process with a server that lingers."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self.started_at = time.monotonic()

    @property
    def server(self) -> uvicorn.Server:
        """The server, in the process itself."""
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server

    def replace(self) -> None:
        """Tell it that another has taken its place."""
        if self.process.is_alive() and self.pid is not None:
            os.kill(self.pid, REPLACED_SIGNAL)

    def end(self) -> None:
        """End it at once, unless it has ended."""
        self.kill()
        self.join()


class Supervisor(Multiprocess):
    """Keeps as many processes as the configuration says. `tell` is called when all were replaced."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], tell: Callable[[str], None]) -> None:
        super().__init__(config, sockets)
        self._notify = tell
        self._have_been_ready = False
        self._pauses: dict[int, float] = {}
        self._draining: dict[ServerProcess, float] = {}
        """Those that were told to leave, and until when they may take their time."""

    def init_processes(self) -> None:
        """Start all of them."""
        self.processes = [self._start() for _ in range(self.processes_num)]

    def _start(self) -> ServerProcess:
        process = ServerProcess(self.config, self.sockets)
        process.start()
        return process

    def restart_all(self) -> None:
        """Replace each process by a new one that answers. Where a new one does not, the old ones stay."""
        for place in range(len(self.processes)):
            new = self._start()
            if not self._wait_until_ready(new):
                # It may serve for all that, so it is not killed.
                new.terminate()
                self._draining[new] = time.monotonic() + DRAIN_TIMEOUT_SECONDS
                if not self._stop_requested():
                    log.error("a new server process does not answer: the restart has ended, the others stay")
                return
            old, self.processes[place] = self.processes[place], new
            assert isinstance(old, ServerProcess)  # noqa: S101
            old.replace()
            self._draining[old] = time.monotonic() + DRAIN_TIMEOUT_SECONDS
            while old in self._draining:
                if self._stop_requested():
                    return
                self._supervise_once()
        self._notify(f"All {len(self.processes)} server processes were replaced.")

    def _wait_until_ready(self, process: Process) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.process.is_alive() and not self._stop_requested():
            if process.is_ready(timeout=1):
                return True
            self._supervise_once()
        return False

    def _supervise_once(self) -> None:
        self.keep_subprocess_alive()
        time.sleep(POLL_SECONDS)

    def _stop_requested(self) -> bool:
        return self.should_exit.is_set() or not {signal.SIGINT, signal.SIGTERM}.isdisjoint(self.signal_queue)

    def join_all(self) -> None:
        """Wait until all have left, those too that were on their way out."""
        until = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        for process in self.processes:
            assert isinstance(process, ServerProcess)  # noqa: S101
            self._draining[process] = until
        for process, deadline in self._draining.items():
            process.process.join(max(0.0, deadline - time.monotonic()))
            process.end()

    def _reap_draining(self) -> None:
        """Forget those that have left, and end those that take too long."""
        for process, deadline in list(self._draining.items()):
            if not process.process.is_alive() or time.monotonic() > deadline:
                process.end()
                del self._draining[process]

    def keep_subprocess_alive(self) -> None:
        """Start those that have died again, those that hang too; stop when none has ever been able to serve."""
        if self.should_exit.is_set():
            return
        self._reap_draining()
        self._have_been_ready = self._have_been_ready or any(process.is_ready(timeout=1) for process in self.processes)
        for place, process in enumerate(self.processes):
            if process.is_alive(timeout=HUNG_SECONDS):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE and not self._have_been_ready:
                log.error("the server processes cannot start")
                self.should_exit.set()
                return
            self._restart_dead(place, process)

    def _restart_dead(self, place: int, dead: Process) -> None:
        """Start another one in its place, unless that has just been done."""
        assert isinstance(dead, ServerProcess)  # noqa: S101
        now = time.monotonic()
        pause = self._pauses.get(place, 0.0)
        if now < dead.started_at + pause:
            return
        log.warning("server process %s has ended with code %s; another is started", dead.pid, dead.exitcode)
        longer = min(max(2 * pause, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
        self._pauses[place] = FIRST_PAUSE_SECONDS if now - dead.started_at > pause + BACKOFF_RESET_SECONDS else longer
        self.processes[place] = self._start()
