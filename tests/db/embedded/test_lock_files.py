"""Stale lock files of the embedded server: no start fails, no other process is touched.

A crash leaves such files behind.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from db.embedded.supervisor import embedded_server
from tests.support.databases.embedded import answers, postgres_processes, postmaster_of
from tests.support.databases.memory import temporary_folder
from tests.support.waiting import eventually

NAMES = ["postmaster.pid", ".s.PGSQL.5432.lock"]
DAMAGED = {
    "empty": "",
    "blank": "\n\n",
    "garbage": "\x00\x07\xff no number\n",
    "cut": "12ab",
    "zero": "0\n",
    "negative": "-1\n",
    "minus": "-\n",
    "huge": f"{10**30}\n",
    "beyond_int": f"{2**32 + 1}\n",
}


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Yield a data folder with a stopped database cluster."""
    with temporary_folder() as folder:
        with embedded_server(folder):
            pass
        yield folder


def lock_file(pid: int, data_dir: Path) -> str:
    """Return a complete lock file that names the process."""
    data = data_dir / "postgresql"
    return f"{pid}\n{data}\n1700000000\n5432\n{data}\n\n  1234567         8\nready   \n"


@contextmanager
def bystander(user: str | None) -> Iterator[subprocess.Popen[bytes]]:
    """Run an innocent process of the user, which must outlive the block."""
    with subprocess.Popen(["sleep", "600"], user=user, cwd="/") as process:
        try:
            yield process
            assert process.poll() is None, "an unrelated process was ended"
        finally:
            process.kill()


def start_and_stop(data_dir: Path) -> None:
    """Start the server with the lock files that lie there, use it, and stop it."""
    with embedded_server(data_dir) as url:
        assert answers(url)
    assert postgres_processes(data_dir) == []


def write_lock_files(data_dir: Path, content: str) -> None:
    """Leave both lock files behind, as a crash does."""
    for name in NAMES:
        (data_dir / "postgresql" / name).write_bytes(content.encode("latin-1"))


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damaged_lock_files_are_removed_with_one_log_line_each(
    data_dir: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_lock_files(data_dir, text)
    start_and_stop(data_dir)
    assert len([line for line in caplog.messages if "removed the stale lock file" in line]) == len(NAMES)


@pytest.mark.parametrize("is_complete", [True, False], ids=["complete", "first_line"])
@pytest.mark.parametrize("user", ["own", "owner"])
def test_lock_file_that_names_another_process_leaves_it_alone(data_dir: Path, *, is_complete: bool, user: str) -> None:
    # The owner of the data is another user if the tests run as root.
    with bystander((data_dir / "postgresql").owner() if user == "owner" and os.geteuid() == 0 else None) as process:
        write_lock_files(data_dir, lock_file(process.pid, data_dir) if is_complete else f"{process.pid}\n")
        start_and_stop(data_dir)


def test_lock_file_that_names_the_first_process_leaves_it_alone(data_dir: Path) -> None:
    write_lock_files(data_dir, lock_file(1, data_dir))
    start_and_stop(data_dir)
    assert psutil.pid_exists(1)


def test_lock_file_that_names_the_starting_process_is_stale(data_dir: Path) -> None:
    write_lock_files(data_dir, lock_file(os.getpid(), data_dir))
    start_and_stop(data_dir)


def test_lock_file_that_names_a_server_of_another_folder_leaves_it_alone(data_dir: Path) -> None:
    with temporary_folder() as other, embedded_server(other) as other_url:
        server = postmaster_of(other)
        write_lock_files(data_dir, lock_file(server.pid, data_dir))
        start_and_stop(data_dir)
        assert postmaster_of(other) == server
        assert answers(other_url)


def test_lock_file_that_names_an_ended_unreaped_process_is_stale(data_dir: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "the process did not end")
        write_lock_files(data_dir, lock_file(process.pid, data_dir))
        start_and_stop(data_dir)


@pytest.mark.parametrize("text", ["", "[1", "[1, 999999", "not json"])
def test_damaged_list_of_users_of_an_earlier_version_is_ignored(data_dir: Path, text: str) -> None:
    (data_dir / "postgresql" / ".handle_pids.json").write_text(text)
    start_and_stop(data_dir)


@pytest.mark.parametrize("text", ["", "1\n"])
def test_running_server_is_joined_despite_a_damaged_lock_file(data_dir: Path, text: str) -> None:
    with embedded_server(data_dir):
        running = postmaster_of(data_dir)
        (data_dir / "postgresql" / "postmaster.pid").write_text(text)
        with embedded_server(data_dir) as url:
            assert answers(url)
            assert postmaster_of(data_dir) == running
        assert postmaster_of(data_dir) == running
    assert postgres_processes(data_dir) == []
