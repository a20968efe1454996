"""Data folder of the embedded PostgreSQL (a database cluster): creation, settings and URL."""

import os
import shutil
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from db.embedded.account import Account, find_account, has_name
from db.embedded.environment import program_environment
from db.embedded.failures import describe_os_error, last_lines
from db.embedded.programs import find_initdb, find_programs
from db.errors import EmbeddedServerError
from domain.paths import printable

SETTINGS = """\
# Written by Ratesgraph at every start: sizes for a machine that also runs the application.
shared_buffers = 256MB
max_wal_size = 4GB
wal_init_zero = off
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
max_connections = 200
# The supervisor starts the server again. PostgreSQL 18 itself hangs if its recovery fails, such as on a full disk.
restart_after_crash = off
# The folder may come from a machine with other locales and time zones.
lc_messages = 'C'
lc_monetary = 'C'
lc_numeric = 'C'
lc_time = 'C'
timezone = 'UTC'
log_timezone = 'UTC'
"""
INCLUDE = b"\ninclude 'ratesgraph.conf'\n"
LOCALE_OPTIONS = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
"""Options of initdb for the collation that PostgreSQL contains: by code point, the same on every machine."""
PORT = 5432
"""Part of the socket's name. It is set explicitly: server and client would otherwise read PGPORT."""
SUPERUSER = "postgres"
MAX_SOCKET_BYTES = 103
"""Longest path of a Unix socket, without the final NUL: 103 bytes on macOS, 107 on Linux."""
SOCKET_FOLDERS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108
"""Places for the folder of the socket if the path of the data is unsuitable. The first that can be written is used."""
MAX_PATH_BYTES = 900
"""Longest path that is passed to PostgreSQL, which cuts paths of files below it at 1,023 bytes."""
WORKING_FOLDER = "/proc/self/cwd"
"""Working folder of each process on Linux, whatever its path and the permissions of the folders above it."""
MARKER = "ratesgraph.data_directory="
"""Option of a server in WORKING_FOLDER, with the percent-encoded path of its data: its command line identifies it."""


def resolve_data_dir(data_dir: Path) -> Path:
    """Return the absolute path of a data folder without symbolic links.

    `~/` at its start is the home folder: no shell expands it in `--data-dir=~/prices` or in a file of variables. Raise
    EmbeddedServerError if there is no such path, as with a loop of links.
    """
    # `Path.expanduser` would raise an error if there is no home folder.
    return _resolve(Path(os.path.expanduser(data_dir)) if data_dir.parts[:1] == ("~",) else data_dir)  # noqa: PTH111


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except OSError as error:
        reason = describe_os_error(error)
    except RuntimeError as error:
        # pathlib reports a loop of links in this way.
        reason = str(error)
    raise EmbeddedServerError(f"The data folder cannot be used: {reason.removesuffix('.')}. Choose another --data-dir.")


def cluster_in(data_dir: Path) -> "Cluster":
    """Return the database cluster of a data folder."""
    return Cluster(resolve_data_dir(data_dir))


@dataclass(frozen=True)
class Cluster:
    """Database cluster of one server, by the absolute path of the data folder that contains it."""

    folder: Path

    @cached_property
    def data(self) -> Path:
        """Folder of PostgreSQL itself, which may be a link to another disk."""
        return _resolve(self.folder / "postgresql")

    @cached_property
    def account(self) -> Account | None:
        """Account that runs the server, or None if it is that of this process."""
        return find_account(self.data)

    @cached_property
    def socket_dir(self) -> Path:
        """Folder of the server's socket: the data folder, or a short one if its path is unsuitable.

        It depends on the identity of the data folder alone, so that every process finds the same one.
        """
        path = os.fsencode(self.data / self._socket_name)
        # libpq would split the name of a host at a comma, and psycopg decodes it.
        if len(path) <= MAX_SOCKET_BYTES and b"," not in path and _is_utf8(path):
            return self.data
        found = self.data.stat()
        parent = next((each for each in SOCKET_FOLDERS if os.access(each, os.W_OK | os.X_OK)), SOCKET_FOLDERS[0])
        return parent / f"ratesgraph-{found.st_uid}-{found.st_dev:x}-{found.st_ino:x}"

    @property
    def url(self) -> str:
        """URL of the server, for libpq."""
        return f"postgresql://{SUPERUSER}@/{SUPERUSER}?host={quote(os.fsencode(self.socket_dir))}&port={PORT}"

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
        if self.account is None and not has_name(os.geteuid()):
            raise EmbeddedServerError(
                f"The embedded PostgreSQL could not be set up in {printable(self.data)}: the user ID {os.geteuid()} has no"
                " name, which PostgreSQL requires. Add it to /etc/passwd, run the command as another user, or set DATABASE_URL."
            )
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedServerError(
                f"{printable(self.data)} contains files but no PostgreSQL database. Choose another --data-dir, or remove the"
                " folder."
            )
        new = self.data.with_name(f"{self.data.name}.new")
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        if self.account is not None:
            self.account.take(new)
        command = [
            *(str(find_initdb(self.account)), "-D", self._path_for_server(new), "-U", SUPERUSER),
            *("--auth=trust", "--no-instructions", *LOCALE_OPTIONS),
        ]
        done = subprocess.run(command, capture_output=True, check=False, **self._process_options(new))  # noqa: S603
        if done.returncode:
            reason = self.summarize_output(done.stderr) or f"initdb ended with code {done.returncode}"
            raise EmbeddedServerError(
                f"The embedded PostgreSQL could not be set up in {printable(self.data)}: {reason}."
                " Choose another --data-dir, or set DATABASE_URL."
            )
        with (new / "postgresql.conf").open("ab") as file:
            file.write(INCLUDE)
        new.rename(self.data)

    def configure(self) -> None:
        """Write the settings, and create the folder of the socket."""
        include = self.data / "ratesgraph.conf"
        if not include.exists() or include.read_bytes() != SETTINGS.encode():
            with self._open_for_owner(include, os.O_WRONLY | os.O_TRUNC) as file:
                file.write(SETTINGS.encode())
        main = self.data / "postgresql.conf"
        if b"ratesgraph.conf" not in main.read_bytes():
            with self._open_for_owner(main, os.O_WRONLY | os.O_APPEND) as file:
                file.write(INCLUDE)
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
            raise EmbeddedServerError(
                f"The folder {self.socket_dir} for the socket belongs to another user."
                " Remove it, or choose a shorter --data-dir."
            )

    def remove_socket_dir(self) -> None:
        """Remove the separate folder of a stopped server's socket, unless it contains files."""
        if self.socket_dir != self.data:
            with suppress(OSError):
                self.socket_dir.rmdir()

    def open_log(self) -> BinaryIO:
        """Open the log for appending."""
        return self._open_for_owner(self.log, os.O_WRONLY | os.O_APPEND)

    def open_server_lock(self) -> BinaryIO:
        """Open the file that a running server keeps locked."""
        return self._open_for_owner(self.data / "running.lock", os.O_RDWR)

    def _open_for_owner(self, path: Path, flags: int) -> BinaryIO:
        """Open or create a file of the data folder for the account of the server.

        The account must not lead root elsewhere by a link.
        """
        file = os.open(path, flags | os.O_CREAT | (os.O_NOFOLLOW if self.account else 0), 0o600)
        if self.account is not None:
            os.fchown(file, self.account.uid, self.account.gid)
        return os.fdopen(file, "ab" if flags & os.O_APPEND else "wb")

    def summarize_output(self, output: bytes) -> str:
        """Return the last lines of a program's output as one line, with the path of the data."""
        return last_lines(output).replace(WORKING_FOLDER, printable(self.data))

    def server_command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        path = self._path_for_server(self.data)
        socket_dir = path if self.socket_dir == self.data else str(self.socket_dir)
        marker = ["-c", f"{MARKER}{quote(os.fsencode(self.data))}"] if path == WORKING_FOLDER else []
        options = ["-D", path, "-h", "", "-p", str(PORT), "-k", socket_dir, *marker]
        return [str(find_programs(self.account) / "postgres"), *options]

    def process_options(self) -> dict[str, Any]:
        """Return the options of `subprocess` that run a server of this cluster."""
        return self._process_options(self.data)

    def _process_options(self, data: Path) -> dict[str, Any]:
        options = {"cwd": data, "env": program_environment(), "stdin": subprocess.DEVNULL}
        return options if self.account is None else {**options, **self.account.process_options}

    def _path_for_server(self, data: Path) -> str:
        """Return the path by which PostgreSQL reaches its data: its own, or WORKING_FOLDER.

        Root may use a folder in its home, which is closed to the account of the server and stays so. A line break would make
        `postmaster.pid` unreadable.
        """
        path = os.fsencode(data)
        is_suitable = len(path) <= MAX_PATH_BYTES and _is_utf8(path) and not {*b"\r\n"} & {*path}
        if is_suitable and (self.account is None or self.account.can_reach(data)):
            return str(data)
        if Path(WORKING_FOLDER).exists():
            return WORKING_FOLDER
        reason = "it is closed to its account" if is_suitable else "its name is unsuitable"
        raise EmbeddedServerError(
            f"The embedded PostgreSQL cannot use {printable(data)}: {reason}."
            " Choose another --data-dir, or set DATABASE_URL."
        )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
