"""Supervisor of the embedded PostgreSQL: starts or joins, restarts and stops the server.

The last process that uses the server stops it. The embedded server is for development, tests and small installations;
`DATABASE_URL` replaces it. Clients connect over a Unix socket. Every process that uses the server supervises it, so it is
restarted after a crash while a process uses it.
"""

import logging
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.embedded.cluster import Cluster, cluster_in
from db.embedded.disk_space import WAL_SEGMENT_BYTES, DiskSpace, describe_full_disk, free_bytes
from db.embedded.environment import without_libpq_variables
from db.embedded.failures import describe_os_error
from db.embedded.interrupts import ignored_interrupts
from db.embedded.postmaster import Postmaster, find_postmaster, start, wait_until_ready
from db.embedded.usage import FolderUsage, StartAbandoned
from db.errors import EmbeddedServerError
from domain.paths import printable

log = logging.getLogger("ratesgraph.db")

FIRST_START_BYTES = 600_000_000
"""Free bytes that a first start requires: the database with the demo data occupies 500 MB, without them 100 MB."""
POLL_SECONDS = 0.2
"""Interval at which a user checks that the server runs."""
FIRST_PAUSE_SECONDS = 0.5
"""Pause after the first restart, which itself follows at once."""
MAX_PAUSE_SECONDS = 10.0
"""Longest pause between two attempts to restart the server, such as after a full disk has room again."""
BACKOFF_RESET_SECONDS = 60.0
"""Uptime after which the next crash of the server no longer counts as a repeated one."""


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Start the server in `data_dir`, or join the running one, and yield its connection URL.

    A server that dies during the block is started again. At the end of the block it stops, unless another process uses it.
    Raise EmbeddedServerError when it cannot start.
    """
    with without_libpq_variables(), _running(cluster_in(data_dir)) as url:
        yield url


@contextmanager
def _running(cluster: Cluster) -> Iterator[str]:
    with _reported_errors(cluster):
        cluster.folder.mkdir(parents=True, exist_ok=True)
        usage = FolderUsage(cluster.folder)
    never, ending = threading.Event(), threading.Event()
    try:
        with _reported_errors(cluster), usage.control(never):
            usage.join()
            if not cluster.exists():
                _require_room(cluster)
            cluster.create()
            postmaster = _ensure_running(cluster, never)
        supervisor = threading.Thread(target=_supervise, args=(cluster, usage, postmaster, ending), daemon=True)
        supervisor.start()
        try:
            yield cluster.url
        finally:
            ending.set()
            supervisor.join()
    finally:
        # A second Ctrl-C would leave the server running without a user.
        with usage.control(never), ignored_interrupts():
            if usage.leave() and cluster.exists() and (running := find_postmaster(cluster)) is not None:
                running.stop()
                cluster.remove_socket_dir()
        usage.close()


@contextmanager
def _reported_errors(cluster: Cluster) -> Iterator[None]:
    """Convert the errors of a start into EmbeddedServerError.

    If the disk is full, the error says so.
    """
    try:
        yield
    except (OSError, subprocess.SubprocessError, EmbeddedServerError) as error:
        full = describe_full_disk(cluster.data, error)
        if full is None and isinstance(error, EmbeddedServerError):
            raise
        reason = full or (describe_os_error(error) if isinstance(error, OSError) else type(error).__name__)
        raise EmbeddedServerError(
            f"The embedded PostgreSQL could not be started in {printable(cluster.data)}: {reason}."
            " Choose another --data-dir, or set DATABASE_URL."
        ) from error


def _require_room(cluster: Cluster) -> None:
    """Raise EmbeddedServerError unless the disk has room for a new database."""
    if (free := free_bytes(cluster.data.parent)) < FIRST_START_BYTES:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL was not set up in {printable(cluster.data)}: the disk has {free:,} free bytes, and a"
            f" first start requires {FIRST_START_BYTES:,}. Free disk space, choose another --data-dir, or set DATABASE_URL."
        )


def _ensure_running(cluster: Cluster, abandoned: threading.Event) -> Postmaster:
    """Return the running server, started if necessary, once it accepts connections.

    The caller holds `FolderUsage.control()`. Raise StartAbandoned if `abandoned` is set.
    """
    running = find_postmaster(cluster)
    if running is None:
        cluster.configure()
        running = start(cluster, abandoned)
    wait_until_ready(cluster, running, abandoned)
    return running


def _supervise(cluster: Cluster, usage: FolderUsage, postmaster: Postmaster, ending: threading.Event) -> None:
    """Start the server again whenever it dies, with exponential backoff, until `ending` is set.

    The log also states when the disk is so full that PostgreSQL refuses connections while it runs.
    """
    disk_space = DiskSpace(cluster.data, WAL_SEGMENT_BYTES)
    restarted_at, pause = time.monotonic(), 0.0
    while not ending.wait(POLL_SECONDS):
        disk_space.find_shortage()
        if postmaster.is_alive():
            continue
        log.error("embedded PostgreSQL has ended unexpectedly; starting it again")
        if time.monotonic() > restarted_at + BACKOFF_RESET_SECONDS:
            pause = 0.0
        while not ending.wait(pause):
            restarted_at, pause = time.monotonic(), min(max(2 * pause, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
            try:
                with _reported_errors(cluster), usage.control(ending):
                    postmaster = _ensure_running(cluster, ending)
            except StartAbandoned:
                return
            except EmbeddedServerError as error:
                log.error("%s Trying again in %g s.", error, pause)
            except Exception:
                # The thread must not end here: the database would stay unavailable until the process ends.
                log.exception("restart of the embedded PostgreSQL failed; trying again in %g s", pause)
            else:
                log.warning("embedded PostgreSQL runs again after %.1f s", time.monotonic() - restarted_at)
                break
