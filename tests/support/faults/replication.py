"""A primary and its standby: real servers that are promoted, fenced, and follow each other."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.embedded.cluster import PORT, SUPERUSER, Cluster, cluster_in
from db.embedded.programs import installed_programs
from tests.chaos.database import CrashableServer, crashable_server
from tests.support.faults.world import QueryCase
from tests.support.waiting import eventually

OPEN_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


class ReplicatedServer(CrashableServer):
    """Server that is the primary or the standby of another one."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.url, cluster.data, cluster.server_command())
        self.cluster = cluster

    @property
    def socket(self) -> Path:
        """Return the path of the server's socket."""
        return self.cluster.socket_dir / f".s.PGSQL.{PORT}"

    def stop(self) -> None:
        """Stop the server in order: its standby receives everything that was committed."""
        self._control("stop", "-m", "fast")

    def promote(self) -> None:
        """Make the standby a primary and wait for the end of its recovery."""
        self._control("promote")

    def follow(self, primary: "ReplicatedServer") -> None:
        """Start the stopped server as a standby of the primary."""
        with (self.cluster.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host={primary.cluster.socket_dir} port={PORT} user={SUPERUSER}'\n")
        (self.cluster.data / "standby.signal").touch()
        self.start()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend all processes of the server for the block.

        Its connections stay open, and nothing answers.
        """
        postmaster = psutil.Process(int((self.cluster.data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def fence(self, *, is_read_only: bool = True) -> None:
        """Make the running server read-only or writable again, without closing any connection."""
        self.set_parameter("default_transaction_read_only", str(is_read_only))

    def set_parameter(self, name: str, value: str) -> None:
        """Set a parameter of the running server, and wait until new connections have it."""
        loaded_at = self.fetch_value("SELECT pg_conf_load_time()")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")
        eventually(
            lambda: self.fetch_value("SELECT pg_conf_load_time()") != loaded_at,
            "the server does not read its parameters",
        )

    def fetch_value(self, query: str) -> object:
        """Return the only value of a query's result."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            return row[0]


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary and its standby.

    Attributes:
        cases: Queries about the small world that it holds.
    """

    primary: ReplicatedServer
    standby: ReplicatedServer
    cases: list[QueryCase] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return a URL that lists both servers, the primary first."""
        hosts = ",".join(str(server.cluster.socket_dir) for server in (self.primary, self.standby))
        return make_conninfo(self.primary.url, host=hosts, port=f"{PORT},{PORT}")

    def pause_replay(self) -> None:
        """Let the standby receive changes without replaying them."""
        self.standby.fetch_value("SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        eventually(lambda: self.standby.fetch_value(paused), "the replay does not pause")

    def resume_replay(self) -> None:
        """Let the standby replay what it has received."""
        self.standby.fetch_value("SELECT pg_wal_replay_resume()")

    def wait_until_replayed(self) -> None:
        """Wait until the standby has replayed everything that the primary has committed."""
        position = self.primary.fetch_value("SELECT pg_current_wal_lsn()")
        eventually(
            lambda: self.standby.fetch_value(f"SELECT pg_last_wal_replay_lsn() >= '{position}'"),
            "the standby does not catch up",
            60,
        )

    def wait_until_replicated(self) -> None:
        """Wait until the standby has everything that the fenced primary has committed."""
        eventually(lambda: self.primary.fetch_value(OPEN_TRANSACTIONS) == 0, "a transaction does not end")
        self.wait_until_replayed()


@contextmanager
def replicated_pair(folder: Path) -> Iterator[Pair]:
    """Run a primary and its standby with data in the folder.

    Skip the test where the programs of PostgreSQL lack pg_basebackup.
    """
    program = installed_programs() / "pg_basebackup"
    if not program.exists():
        pytest.skip(f"{program} is missing")
    (folder / "primary").mkdir()
    with crashable_server(folder / "primary"):
        primary = ReplicatedServer(cluster_in(folder / "primary"))
        cluster = cluster_in(folder / "standby")
        cluster.data.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(cluster.data, primary.cluster.data.owner(), primary.cluster.data.group())
        source = ["-h", str(primary.cluster.socket_dir), "-p", str(PORT), "-U", SUPERUSER]
        subprocess.run(
            [program, *source, "-D", cluster.data, "--write-recovery-conf", "--checkpoint=fast"],
            check=True,
            capture_output=True,
            **cluster.process_options(),
        )
        # The backup contains the lock of the primary's socket, which lies in the data folder too.
        (cluster.data / f".s.PGSQL.{PORT}.lock").unlink()
        standby = ReplicatedServer(cluster)
        standby.start()
        try:
            yield Pair(primary, standby)
        finally:
            standby.remove()
