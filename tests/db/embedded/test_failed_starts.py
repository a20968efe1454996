"""Failed starts of the embedded server: the message contains the last lines of PostgreSQL."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from db.embedded import postmaster
from db.embedded.disk_space import describe_full_disk
from db.embedded.failures import describe_os_error, last_lines
from db.embedded.supervisor import embedded_server
from db.errors import EmbeddedServerError
from tests.support.databases.embedded import (
    USER_SCRIPT,
    answers,
    other_user,
    postgres_processes,
    postmaster_of,
    wait_for_process,
)
from tests.support.databases.memory import temporary_folder


def append(name: str, text: str) -> Callable[[Path], object]:
    """Return a sabotage that appends text to a file."""

    def sabotage(data: Path) -> None:
        with (data / name).open("ab") as file:
            file.write(text.encode("latin-1"))

    return sabotage


def write(name: str, text: str) -> Callable[[Path], object]:
    """Return a sabotage that replaces the content of a file."""
    return lambda data: (data / name).write_bytes(text.encode())


SABOTAGE: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "another version": (
        write("PG_VERSION", "17\n"),
        [
            "database files are incompatible with server; DETAIL: The data directory was initialized by PostgreSQL version 17"
        ],
    ),
    "empty version": (
        write("PG_VERSION", ""),
        ['PG_VERSION" does not contain valid data; HINT: You might need to initdb.'],
    ),
    "syntax error in the settings": (
        append("postgresql.conf", "\nwork_mem = = 1\n"),
        ["syntax error in file", 'near token "="; FATAL: configuration file', "contains errors."],
    ),
    "bytes in the settings": (
        append("postgresql.conf", "\n\x07\xff\x1b[31m\n"),
        ["syntax error in file", 'near token "\\x07"'],
    ),
    "missing settings": (
        lambda data: (data / "postgresql.conf").unlink(),
        ["No such file or directory", "postgresql.conf."],
    ),
    "access rules": (append("pg_hba.conf", "\nnonsense\n"), ['invalid connection type "nonsense"', "could not load"]),
    "too much memory": (
        append("postgresql.auto.conf", "\nshared_buffers = '6TB'\n"),
        ["could not map anonymous shared memory: Cannot allocate memory; HINT: "],
    ),
    "socket in use": (
        lambda data: (data / ".s.PGSQL.5432").mkdir(),
        ["could not bind Unix address", "could not create any Unix-domain sockets"],
    ),
    "missing control file": (
        lambda data: (data / "global" / "pg_control").unlink(),
        ["global/pg_control", "No such file"],
    ),
    "permissions": (
        lambda data: data.chmod(0o777),
        ["has invalid permissions; DETAIL: Permissions should be u=rwx (0700)"],
    ),
    "folder as a lock file": (lambda data: (data / "postmaster.pid").mkdir(), ["Is a directory", "postmaster.pid."]),
}
"""What is done to the data folder, and parts of the message."""


@pytest.fixture(scope="module")
def original() -> Iterator[Path]:
    """Yield a data folder with a stopped database cluster."""
    with temporary_folder() as folder:
        with embedded_server(folder):
            pass
        yield folder


@pytest.fixture
def data_dir(original: Path) -> Iterator[Path]:
    """Yield a copy of the data folder."""
    with temporary_folder() as folder:
        data = folder / "postgresql"
        shutil.copytree(original / "postgresql", data)
        owner = (original / "postgresql").stat()
        for path in (data, *data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        yield folder


@pytest.mark.parametrize(("sabotage", "parts"), SABOTAGE.values(), ids=SABOTAGE)
def test_failed_start_quotes_the_last_lines_of_postgresql(
    data_dir: Path, sabotage: Callable[[Path], object], parts: list[str]
) -> None:
    sabotage(data_dir / "postgresql")
    with pytest.raises(EmbeddedServerError) as failure, embedded_server(data_dir):
        pass
    message = str(failure.value)
    assert message.startswith(f"The embedded PostgreSQL could not be started in {data_dir}/postgresql: ")
    assert message.endswith("hoose another --data-dir, or set DATABASE_URL.")
    assert message.isprintable()
    for part in parts:
        assert part in message
    assert postgres_processes(data_dir) == []


def test_failed_start_in_a_closed_folder_names_its_path(data_dir: Path) -> None:
    data_dir.chmod(0o700)
    append("postgresql.conf", "\nnonsense\n")(data_dir / "postgresql")
    with pytest.raises(EmbeddedServerError, match=f'syntax error in file "{data_dir}/postgresql/postgresql.conf"'):
        embedded_server(data_dir).__enter__()


def in_namespaces(*namespaces: str) -> list[str]:
    """Return the beginning of a command in namespaces of its own.

    Skip the test where this is not allowed.
    """
    command = ["unshare", "--fork", *namespaces]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces are not allowed here")
    return command


@pytest.mark.parametrize("is_new", [True, False])
def test_exhausted_shared_memory_is_not_reported_as_a_full_disk(data_dir: Path, *, is_new: bool) -> None:
    folder = data_dir / "new" if is_new else data_dir
    command = [*in_namespaces("--ipc"), "sh", "-c", 'echo 0 > /proc/sys/kernel/shmmni; exec "$@"', "sh"]
    done = subprocess.run(
        [*command, sys.executable, "-c", USER_SCRIPT, folder],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    message = done.stderr.splitlines()[-1]
    assert f"could not be {'set up' if is_new else 'started'} in {folder}/postgresql: FATAL: " in message
    assert "could not create shared memory segment: No space left on device; DETAIL: " in message
    assert "the disk is full" not in message


def test_server_of_another_container_is_not_started_twice(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*in_namespaces("--pid", "--ipc", "--mount-proc"), sys.executable, "-c"]
    script = f"import db.embedded.postmaster as postmaster\npostmaster.LOCK_SECONDS = 0.2\n{USER_SCRIPT}"
    with embedded_server(data_dir) as url:
        done = subprocess.run(
            [*command, script, data_dir], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert "a server that this process cannot see uses the folder, such as one in another container" in done.stderr
        # There is one: the parent of all processes.
        postmaster_of(data_dir)
        assert answers(url)
    # The other way round: the process IDs of a container are visible from outside, so its server is joined.
    with subprocess.Popen(
        [*command, USER_SCRIPT, data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        monkeypatch.setattr(postmaster, "LOCK_SECONDS", 0.2)
        with embedded_server(data_dir) as url:
            assert answers(url)
        process.communicate("")


def test_start_waits_for_the_last_processes_of_a_killed_server(data_dir: Path) -> None:
    with other_user(data_dir) as first:
        first.kill()
        first.wait()
        postmaster_process, remaining = postmaster_of(data_dir), wait_for_process(data_dir, "checkpointer")
        remaining.suspend()
        postmaster_process.kill()
        with subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {remaining.pid}"]), embedded_server(data_dir) as url:
            assert answers(url)
            assert not remaining.is_running() or remaining.status() == psutil.STATUS_ZOMBIE


def test_last_lines_are_one_printable_line() -> None:
    lines = [b"2026-11-28 10:00:00.000 UTC [7] LOG:  line %d." % number for number in range(10)]
    output = b"\r\n".join(
        [*lines, b"FATAL:  the database system is starting up", b"", b"\x1b[1m caf\xe9 \t here.", b" "]
    )
    assert last_lines(output) == "LOG: line 6; LOG: line 7; LOG: line 8; LOG: line 9; \\x1b[1m caf\\xe9 here"
    assert last_lines(b"") == ""
    assert len(last_lines(b"x" * 5_000)) == 1_000


def test_refused_access_names_the_owner_of_the_nearest_folder() -> None:
    error = PermissionError(13, "Permission denied", "/proc/1/nowhere/file")
    described = describe_os_error(error)
    expected = "Permission denied: /proc/1/nowhere/file"
    assert described == expected if os.geteuid() == 0 else f"{expected} (/proc/1 belongs to the user root)"


def test_missing_folder_on_a_disk_without_blocks_is_not_reported_as_a_full_disk() -> None:
    assert describe_full_disk(Path("/proc/nowhere"), FileNotFoundError(2, "No such file or directory")) is None
    assert describe_full_disk(Path("x" * 300), OSError(36, "File name too long")) is None
