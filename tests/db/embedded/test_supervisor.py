"""Embedded server: restarts after crashes, its users, and folders of every kind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from db.embedded.postmaster import Postmaster
from db.embedded.supervisor import embedded_server
from tests.support.databases.embedded import answers, other_user, postgres_processes, postmaster_of
from tests.support.databases.memory import temporary_folder
from tests.support.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Yield a data folder with a stopped database cluster."""
    with temporary_folder() as folder:
        with embedded_server(folder):
            pass
        assert postgres_processes(folder) == []
        yield folder


def test_embedded_server_restarts_after_each_kill(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    with embedded_server(data_dir) as url:
        for count in (1, 2, 3):
            killed = postmaster_of(data_dir)
            killed.kill()
            killed.wait(DEADLINE_SECONDS)
            started = "embedded PostgreSQL runs again after"
            assert eventually(lambda: caplog.text.count(started) == count, "the server was not started again") < 60  # noqa: B023
            assert answers(url)
        assert caplog.text.count("embedded PostgreSQL has ended unexpectedly; starting it again") == 3
    assert postgres_processes(data_dir) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_embedded_server_restarts_after_a_stop_from_outside(data_dir: Path, number: signal.Signals) -> None:
    with embedded_server(data_dir) as url:
        stopped = postmaster_of(data_dir)
        stopped.send_signal(number)
        stopped.wait(DEADLINE_SECONDS)
        eventually(lambda: answers(url), "the server was not started again")


def test_embedded_server_is_replaced_after_the_kill_of_a_backend(data_dir: Path) -> None:
    with embedded_server(data_dir) as url:
        crashed = postmaster_of(data_dir)
        with psycopg.connect(url) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT pg_sleep(20)")
        # PostgreSQL must not restart itself: version 18 hangs if its recovery fails then.
        crashed.wait(DEADLINE_SECONDS)
        eventually(lambda: answers(url), "the server was not started again")


def test_embedded_server_stops_although_another_user_was_killed(data_dir: Path) -> None:
    with embedded_server(data_dir), other_user(data_dir) as other:
        other.kill()
        other.wait()
    assert postgres_processes(data_dir) == []


def test_embedded_server_stops_although_ctrl_c_is_pressed_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Postmaster.stop

    def interrupt_and_stop(postmaster: Postmaster) -> None:
        signal.raise_signal(signal.SIGINT)
        stop(postmaster)

    monkeypatch.setattr(Postmaster, "stop", interrupt_and_stop)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), embedded_server(data_dir):
        signal.raise_signal(signal.SIGINT)
    assert postgres_processes(data_dir) == []
    assert signal.getsignal(signal.SIGINT) is handler


def test_embedded_server_runs_until_its_last_user_ends(data_dir: Path) -> None:
    with other_user(data_dir) as first:
        with embedded_server(data_dir) as url:
            first.stdin and first.stdin.close()
            assert first.wait() == 0
            assert answers(url)
        assert postgres_processes(data_dir) == []
    with other_user(data_dir) as first:
        with embedded_server(data_dir) as url:
            pass
        assert answers(url)
        first.stdin and first.stdin.close()
        assert first.wait() == 0
    assert postgres_processes(data_dir) == []


def test_embedded_server_survives_the_kill_of_the_process_that_started_it(data_dir: Path) -> None:
    with other_user(data_dir) as first, embedded_server(data_dir) as url:
        first.kill()
        first.wait()
        postmaster_of(data_dir).kill()
        eventually(lambda: answers(url), "the server was not started again")
    assert postgres_processes(data_dir) == []


def test_embedded_server_left_behind_by_a_killed_process_is_joined_and_stopped(data_dir: Path) -> None:
    with other_user(data_dir) as first:
        first.kill()
        first.wait()
    left = postmaster_of(data_dir)
    with embedded_server(data_dir) as url:
        assert postmaster_of(data_dir) == left
        assert answers(url)
    assert postgres_processes(data_dir) == []


def test_embedded_server_replaces_an_interrupted_creation() -> None:
    with temporary_folder() as folder:
        (folder / "postgresql.new" / "base").mkdir(parents=True)
        (folder / "postgresql.new" / "PG_VERSION").write_text("18\n")
        with embedded_server(folder) as url:
            assert answers(url)
        assert not (folder / "postgresql.new").exists()
