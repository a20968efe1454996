"""A PostgreSQL of the run's own that can be crashed and started again, on the same data and the same socket.

`embedded_server` starts it the first time. Afterwards it is told what to do by pg_ctl, found by the options that the server
itself noted in its data folder, and run as the owner of that folder.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.embedded import embedded_server

PG_CTL_SECONDS = "90"
"""How long pg_ctl waits for the server: on a busy machine, recovery after a crash included."""


class CrashableServer:
    """A running server. Its URL stays the same whatever happens to it."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self._data = data
        command, *self._options = shlex.split((data / "postmaster.opts").read_text())
        self._pg_ctl = Path(command).with_name("pg_ctl")
        # PostgreSQL refuses to run as root; started by root, its data belongs to a system user.
        self._user = data.owner() if os.geteuid() == 0 else None

    def crash(self) -> None:
        """End all its processes at once, without a checkpoint: what a power cut leaves is what is on the disk."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it, with the options that it was first started with, and wait until it has recovered."""
        self._control("start", "-l", str(self._data / "log"), "-o", shlex.join(self._options))

    def remove(self) -> None:
        """Stop it for good, if it runs."""
        self._control("stop", "-m", "immediate", check=False)

    def _control(self, *arguments: str, check: bool = True) -> None:
        # No pipes: the server would inherit them and keep them open.
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
    """Start a server with its data in the folder, and stop it at the end."""
    with embedded_server(folder) as url:
        server = CrashableServer(url, folder.resolve() / "postgresql")
        try:
            yield server
        finally:
            # The package that started it only knows the first process, which was crashed long ago.
            server.remove()
