"""`ratesgraph serve`: starts the database, loads demo data and runs the server."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from db.embedded.cluster import resolve_data_dir
from db.requirements import Work, check_database
from domain.paths import printable
from server.app import create_app
from server.cli.banner import create_example, create_greeting, explain_missing_pages, has_demo_lane
from server.cli.console import (
    CommandError,
    open_database,
    out,
    print_line,
    read_settings,
    run_with_connection,
    warn_about_variables,
)
from server.config.profiles import choose_profile, find_unsafe_combination
from server.config.settings import Settings
from server.graphql_api.registered_documents import RegisteredDocuments, UnreadableDocuments
from server.observability import log_config
from server.observability.metrics import multiprocess_dir
from server.pages.built_pages import read_built_pages
from server.runtime.child_processes import run_command, worker_subprocess
from server.runtime.graceful_shutdown import DrainingServer
from server.runtime.supervisor import Supervisor
from server.runtime.uvicorn_options import uvicorn_options

FAILED = 1
TERMINATED = 128 + signal.SIGTERM


def listen(host: str, port: int, stall_seconds: float) -> socket.socket:
    """Return a socket bound to the address. Raise CommandError if the address is not available.

    Its connections are reset when sent data is not acknowledged for `stall_seconds`, where the system supports it (RFC 5482).
    Otherwise an event stream to a machine that has vanished would stay open for a quarter of an hour.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(stall_seconds * 1_000))
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise CommandError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port, or set RATESGRAPH_PORT."
        ) from error
    sock.set_inheritable(True)
    return sock


class AnnouncingServer(DrainingServer):
    """Server that calls back once it accepts connections."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server, then announce it if it has started."""
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            self._announce()


def serve(overrides: dict[str, object], *, demo: bool | None) -> None:
    """Serve until interrupted, then stop everything that was started, the database included."""
    settings = read_settings(**overrides)
    if unsafe := find_unsafe_combination(settings):
        raise CommandError(f"Unsafe configuration: {unsafe}")
    log_config.configure_logging(settings)
    warn_about_variables()
    if settings.traces:
        check_tracing()
    check_documents(settings)
    # SIGTERM unwinds the stack as Ctrl-C does, so that the embedded database is stopped in any phase.
    signal.signal(signal.SIGTERM, _raise_system_exit)
    with listen(settings.host, settings.port, settings.stall_seconds) as sock:
        if settings.database_url is None:
            # Child processes read the folder from their environment.
            os.environ["RATESGRAPH_DATA_DIR"] = str(resolve_data_dir(settings.data_dir))
            print_line(f"Starting the embedded PostgreSQL in {printable(settings.data_dir)}/")
        with open_database(settings, announce=False, check=None) as direct_url:
            database_url = settings.database_url or direct_url
            with_demo = settings.database_url is None if demo is None else demo
            run_command(direct_url, "prepare", "--demo" if with_demo else "--no-demo")
            is_demo = run_with_connection(has_demo_lane, direct_url)
            if database_url != direct_url:
                # A connection pooler stands between them, which has limits and a configuration of its own.
                asyncio.run(check_database(database_url, Work.CHANGE))
            if settings.database_url is None:
                with worker_subprocess(database_url, settings.data_dir):
                    _run_until_signal(settings, database_url, sock, is_demo=is_demo)
            else:
                print_line("This process applies no uploads: start `ratesgraph worker` on this or another machine.")
                _run_until_signal(settings, database_url, sock, is_demo=is_demo)
    out.print("Stopped.")


def check_tracing() -> None:
    """Raise CommandError if the packages of the `tracing` extra are missing."""
    try:
        import_module("server.observability.tracing")
    except ImportError as error:
        message = "RATESGRAPH_TRACES requires the `tracing` extra: pip install 'ratesgraph[tracing]'."
        raise CommandError(message) from error


def check_documents(settings: Settings) -> None:
    """Raise CommandError if the registered documents cannot be read.

    Also raise it if they are required and there are none.
    """
    try:
        documents = RegisteredDocuments(settings.documents_dir)
    except UnreadableDocuments as error:
        raise CommandError(f"RATESGRAPH_DOCUMENTS_DIR: {error}") from error
    if settings.persisted_only and not documents:
        raise CommandError(
            f"RATESGRAPH_PERSISTED_ONLY: {settings.documents_dir} registers no document, so nothing would be answered;"
            " add documents, or set it to false."
        )


def _raise_system_exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


def _run_until_signal(settings: Settings, database_url: str, sock: socket.socket, *, is_demo: bool) -> None:
    """Run the server; return normally when a signal stops it.

    uvicorn raises the signal again after its shutdown; SIGTERM and Ctrl-C count as success.
    """
    try:
        _run(settings, database_url, sock, is_demo=is_demo)
    except KeyboardInterrupt:
        return
    except SystemExit as ended:
        if ended.code == STARTUP_FAILURE:
            raise SystemExit(FAILED) from None
        if ended.code != TERMINATED:
            raise


def _run(settings: Settings, database_url: str, sock: socket.socket, *, is_demo: bool) -> None:
    writes_are_open = settings.writes_are_open(embedded=settings.database_url is None)
    host, port = sock.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/graphql"
    built = read_built_pages()

    def announce() -> None:
        if built.failure is not None:
            print_line(explain_missing_pages(built.failure))
        print_line(f"\n{create_greeting(settings, url, has_pages=built.failure is None)}")
        if example := create_example(settings, url, is_demo=is_demo):
            print_line(f"\n{example}")

    options = {
        # uvicorn warns about every malformed request, so a client could flood the log. The access log covers these.
        "log_level": "error",
        "log_config": log_config.configure(settings),
        # uvicorn's access log would contain URLs with queries and variables.
        "access_log": False,
        "timeout_graceful_shutdown": 10,
        **uvicorn_options(settings.trusted_proxies),
    }
    if settings.workers == 1:
        app = create_app(settings, database_url, writes_are_open=writes_are_open)
        AnnouncingServer(uvicorn.Config(app, **options), announce).run(sockets=[sock])
        return
    # Server processes are spawned, not forked, and read their settings from the environment.
    os.environ["RATESGRAPH_PROFILE"] = choose_profile(settings)
    os.environ["RATESGRAPH_WORKERS"] = str(settings.workers)
    os.environ["DATABASE_URL"] = database_url
    os.environ["RATESGRAPH_DIRECT_URL"] = settings.direct_url or database_url
    os.environ["RATESGRAPH_READ_URLS"] = settings.read_urls or ""
    config = uvicorn.Config(
        f"server.app:create_{'open_' if writes_are_open else ''}app_from_environment",
        factory=True,
        workers=settings.workers,
        **options,
    )
    # From here on a connection waits in the backlog for a process instead of being refused.
    sock.listen(config.backlog)
    announce()
    with multiprocess_dir():
        supervisor = Supervisor(config, [sock], out.print)
        supervisor.run()
    if supervisor.has_failed:
        raise SystemExit(FAILED)
