"""PostgreSQL as operators run it: on TCP, with a `pg_hba.conf` and settings of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from db.embedded.programs import installed_programs
from db.embedded.supervisor import embedded_server
from tests.support.commands.ports import find_free_port

PG_CTL_SECONDS = "60"
HBA = """\
local all all trust
host all secret 127.0.0.1/32 scram-sha-256
host all rejected 127.0.0.1/32 reject
host all identified 127.0.0.1/32 ident
hostssl all encrypted 127.0.0.1/32 trust
host all postgres,open,limited,nologin,missing 127.0.0.1/32 trust
"""
"""Users by the way in which they are authenticated. Others, such as `unlisted`, match no line over TCP."""


class OwnServer:
    """A server that tests stop, restart and put into the states in which it refuses connections."""

    def __init__(self, folder: Path) -> None:
        # The embedded server creates the data folder.
        with embedded_server(folder):
            pass
        self.data = folder.resolve() / "postgresql"
        self.port = find_free_port()
        # PostgreSQL refuses to run as root. If started by root, its data belongs to a system user.
        self._user = self.data.owner() if os.geteuid() == 0 else None
        (self.data / "pg_hba.conf").write_text(HBA)

    @property
    def socket(self) -> Path:
        """Path of the server's Unix socket."""
        return self.data / f".s.PGSQL.{self.port}"

    def url(self, user: str = "postgres", database: str = "postgres", password: str = "") -> str:
        """Return the URL of a user over TCP."""
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def start(self, settings: Mapping[str, str] | None = None, *, wait: bool = True) -> None:
        """Start the server with further settings."""
        options = [f"-c {name}={value}" for name, value in (settings or {}).items()]
        options += ["-h 127.0.0.1", f"-p {self.port}", f"-k {self.data}"]
        self.control("start", "-W" if not wait else "-w", "-l", str(self.data / "log"), "-o", " ".join(options))

    def stop(self, mode: str = "fast", *, wait: bool = True) -> None:
        """Stop the server."""
        self.control("stop", "-w" if wait else "-W", "-m", mode)

    def create_signal(self, name: str) -> Path:
        """Create a file that determines how the next start recovers, such as `standby.signal`."""
        path = self.data / name
        path.touch()
        if self._user is not None:
            shutil.chown(path, self._user)
        return path

    def control(self, *arguments: str, check: bool = True) -> None:
        """Run pg_ctl."""
        # No pipes: the server would inherit them and leave them open.
        subprocess.run(
            [installed_programs() / "pg_ctl", "-t", PG_CTL_SECONDS, "-D", self.data, *arguments],
            user=self._user,
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=check,
        )


@contextmanager
def own_server(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[OwnServer]:
    """Run a server with its data in the folder."""
    server = OwnServer(folder)
    server.start(settings)
    try:
        yield server
    finally:
        server.control("stop", "-m", "immediate", check=False)
