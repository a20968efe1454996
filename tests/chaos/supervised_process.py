"""A process of the `ratesgraph` command, restarted whenever it ends.

A service supervisor does the same.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands.processes import COMMAND, environment

RESTART_SECONDS = 0.2
STOP_SECONDS = 40.0


class SupervisedProcess:
    """A process that is restarted from `start` to `stop`.

    `ready` is set while the process serves: from the ready line of its output to its end.
    """

    def __init__(self, arguments: list[str], variables: dict[str, str], ready_words: str, log: Path) -> None:
        self.ready = threading.Event()
        self.log = log
        self._command = [str(COMMAND), *arguments]
        self._variables = variables
        self._ready_words = ready_words
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        """Start the process and return at once."""
        self._thread.start()

    def kill(self) -> bool:
        """Send SIGKILL; return False if the process does not run at this moment."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return False
            self.ready.clear()
            self._process.kill()
            return True

    def stop(self) -> None:
        """Stop the process permanently: by SIGTERM, and after a timeout by SIGKILL."""
        with self._lock:
            self._ending.set()
            if self._process is not None:
                self._process.terminate()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            self.kill()
            self._thread.join()
            raise AssertionError(f"{self._command} did not end within {STOP_SECONDS:.0f} s of SIGTERM")

    def _supervise(self) -> None:
        with self.log.open("ab") as log:
            while True:
                with self._lock:
                    if self._ending.is_set():
                        return
                    process = self._process = subprocess.Popen(
                        self._command,
                        env=self._variables,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        text=True,
                        # Ctrl-C in the terminal only reaches the run itself, which then stops all processes in order.
                        start_new_session=True,
                    )
                with process:
                    assert process.stdout is not None
                    for line in process.stdout:
                        if self._ready_words in line:
                            self.ready.set()
                self.ready.clear()
                self._ending.wait(RESTART_SECONDS)


@contextmanager
def running_processes(
    url: str, port: int, workers: int, logs: Path
) -> Iterator[tuple[SupervisedProcess, list[SupervisedProcess]]]:
    """Yield the API, which listens on the port, and the workers; stop all of them at the end."""
    variables = environment(url)
    api = SupervisedProcess(
        ["serve", "--no-demo", "--port", str(port)], variables, "Ratesgraph answers", logs / "api.log"
    )
    worker_processes = [
        SupervisedProcess(["worker"], variables, "Worker started", logs / f"worker-{number}.log")
        for number in range(1, workers + 1)
    ]
    for process in (api, *worker_processes):
        process.start()
    try:
        yield api, worker_processes
    finally:
        errors = []
        for process in (api, *worker_processes):
            try:
                process.stop()
            except AssertionError as error:
                errors.append(str(error))
        assert not errors, errors
