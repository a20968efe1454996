"""A dedicated PostgreSQL that can be crashed and restarted on the same data and socket.

`embedded_server` creates the data folder. Afterwards pg_ctl controls the server, as the owner of the folder, because
`embedded_server` would restart it at once. The path and the options of the server come from the file that the server
writes into that folder.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.embedded.supervisor import embedded_server

PG_CTL_SECONDS = "90"
"""Timeout of pg_ctl: on a busy machine, including recovery after a crash."""


class CrashableServer:
    """A running server. Its URL stays the same across crashes and restarts."""

    def __init__(self, url: str, data: Path, command: list[str]) -> None:
        self.url = url
        self._data = data
        program, *self._options = command
        self._pg_ctl = Path(program).with_name("pg_ctl")
        # PostgreSQL refuses to run as root. If started by root, its data belongs to a system user.
        self._user = data.owner() if os.geteuid() == 0 else None

    def crash(self) -> None:
        """Stop all processes at once, without a checkpoint, so that only data on disk survives."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start the server with its original options and wait until it has recovered."""
        self._control("start", "-l", str(self._data / "log"), "-o", shlex.join(self._options))

    def remove(self) -> None:
        """Stop the server permanently, if it runs."""
        self._control("stop", "-m", "immediate", check=False)

    def _control(self, *arguments: str, check: bool = True) -> None:
        # No pipes: the server would inherit them and leave them open.
        subprocess.run(
            [self._pg_ctl, "-w", "-t", PG_CTL_SECONDS, "-D", self._data, *arguments],
            user=self._user,
            cwd=self._data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=check,
        )


@contextmanager
def crashable_server(folder: Path) -> Iterator[CrashableServer]:
    """Start a server with its data in the folder; stop it at the end of the block."""
    # The owner of the data runs pg_ctl, and must be able to pass through the folder.
    folder.chmod(0o711)
    with embedded_server(folder) as url:
        pass
    data = folder.resolve() / "postgresql"
    server = CrashableServer(url, data, shlex.split((data / "postmaster.opts").read_text()))
    server.start()
    try:
        yield server
    finally:
        server.remove()
