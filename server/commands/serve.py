"""`ratesgraph serve`: the database, the demo data and the server, in one command."""

import logging
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import uvicorn
from uvicorn.supervisors import Multiprocess

from db import locations
from db.migrate import migrate
from db.pool import Connection
from ingest.demo.load import load_demo
from ingest.rates import load_ecb_rates
from server.app import create_app
from server.console import err, open_database, out, progress_bar, run
from server.settings import Settings

ORIGIN, DESTINATION = "china_main", "north_europe_main"


class ServeError(Exception):
    """The server cannot start; the message says why and what to do."""


def prepare(database_url: str, *, demo: bool) -> list[str]:
    """Bring schema, exchange rates and, in an empty database, the demo data into place; return the new migrations."""
    applied = migrate(database_url)
    if applied:
        out.print(f"Schema brought up to date: {len(applied)} migrations applied")
    loaded = run(load_ecb_rates, database_url)
    if loaded:
        out.print(f"{loaded:,} exchange rates of the European Central Bank loaded")
    if demo and run(_is_empty, database_url):
        with progress_bar() as progress:
            task = progress.add_task("Loading the demo data", total=1.0)

            async def work(connection: Connection) -> int:
                return await load_demo(connection, report=lambda part: progress.update(task, completed=part))

            prices = run(work, database_url)
        out.print(f"Demo data loaded: {prices:,} synthetic daily prices (not market data)")
    return applied


async def _is_empty(connection: Connection) -> bool:
    return await locations.count_locations(connection, search=None, kind=None) == 0


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the address. Raise ServeError when it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ServeError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    sock.set_inheritable(True)
    return sock


def curl(url: str) -> str:
    """Return a command to paste that asks for the averages of the last week."""
    today = datetime.now(UTC).date()
    query = (
        f'{{ averagePrices(dateFrom: "{today - timedelta(days=6)}", dateTo: "{today}",'
        f' origin: "{ORIGIN}", destination: "{DESTINATION}") {{ day averagePrice priceCount }} }}'
    )
    return f"curl -s {url} -H 'Content-Type: application/json' -d '{orjson.dumps({'query': query}).decode()}'"


class AnnouncingServer(uvicorn.Server):
    """A server that says when it can be reached."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            self._announce()


def serve(settings: Settings, *, demo: bool) -> None:
    """Serve until interrupted. What was started is stopped, the embedded database too."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with listen(settings.host, settings.port) as sock:
        if settings.database_url is None:
            out.print(f"Starting the embedded PostgreSQL in {settings.data_dir}/")
        with open_database(settings) as database_url:
            prepare(database_url, demo=demo)
            _run(settings, database_url, sock)
    err.print("Stopped.")


def _run(settings: Settings, database_url: str, sock: socket.socket) -> None:
    writes_are_open = settings.writes_are_open(embedded=settings.database_url is None)
    host, port = sock.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/graphql"

    def announce() -> None:
        out.print(f"\nRatesgraph answers at [bold]{url}[/bold] (Ctrl-C stops it). Open it in a browser, or paste:\n")
        out.print(curl(url), soft_wrap=True)

    options = {"log_level": "warning", "server_header": False, "timeout_graceful_shutdown": 10}
    if settings.workers == 1:
        app = create_app(settings, database_url, writes_are_open=writes_are_open)
        AnnouncingServer(uvicorn.Config(app, **options), announce).run(sockets=[sock])  # type: ignore[arg-type]
        return
    # Worker processes start anew and learn what they need from the environment.
    os.environ["DATABASE_URL"] = database_url
    os.environ["RATESGRAPH_OPEN_WRITES"] = str(writes_are_open).lower()
    config = uvicorn.Config(
        "server.app:create_app_from_environment",
        factory=True,
        workers=settings.workers,
        **options,  # type: ignore[arg-type]
    )
    announce()
    Multiprocess(config, sockets=[sock]).run()
