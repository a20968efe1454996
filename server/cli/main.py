"""The `ratesgraph` command line: names, options and help. What a command does is in `server.cli.commands`.

Errors are one clear line on standard error; exit codes are 0 (done), 1 (failed), 2 (usage). The commands' own modules
are imported when they are called, because they bring polars, PostgreSQL and GraphQL along: `--help` need not wait for them.
"""

from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from resolvers.caller import AuthScope

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ratesgraph: a GraphQL API server for ocean-freight prices.",
)
locations_app = typer.Typer(no_args_is_help=True, help="Load ports and regions.")
prices_app = typer.Typer(no_args_is_help=True, help="Load prices.")
rates_app = typer.Typer(no_args_is_help=True, help="Refresh exchange rates.")
token_app = typer.Typer(no_args_is_help=True, help="Let others call the server.")
app.add_typer(locations_app, name="locations")
app.add_typer(prices_app, name="prices")
app.add_typer(rates_app, name="rates")
app.add_typer(token_app, name="token")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the embedded PostgreSQL's data (default: .ratesgraph)."),
]


class OnErrorChoice(StrEnum):
    """What one invalid item does to its file."""

    REJECT = "reject"
    SKIP = "skip"


def _run_command(module: str, function: str, **arguments: Any) -> None:  # noqa: ANN401
    """Call a command's function; exit with 1 if it says that the work failed."""
    if getattr(import_module(f"server.cli.commands.{module}"), function)(**arguments) is False:
        raise typer.Exit(1)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000).", min=0, max=65_535)] = None,
    data_dir: DataDir = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo", help="Fill an empty database with demo data (default: only the embedded one)."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes (default: 1).", min=1, max=64)] = None,
) -> None:
    """Start the database (embedded, or that of DATABASE_URL), bring it up to date, and serve GraphQL until Ctrl-C."""
    overrides = {"host": host, "port": port, "data_dir": data_dir, "workers": workers}
    _run_command("serve", "serve", overrides=overrides, demo=demo)


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(help="Batches at once.", min=1, max=64)] = 1,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="Stop when standard input closes.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Apply uploaded batches until Ctrl-C. Any number of workers share one queue, on any number of machines."""
    _run_command("worker", "worker", concurrency=concurrency, with_parent=with_parent, data_dir=data_dir)


@app.command(hidden=True)
def prepare(demo: Annotated[bool, typer.Option("--demo/--no-demo")] = False) -> None:
    """Do what `serve` begins with, in a process of its own."""
    _run_command("maintenance", "prepare", demo=demo)


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's schema and the exchange rates up to date."""
    _run_command("maintenance", "migrate", data_dir=data_dir)


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the totals of a month that differs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Recompute all averages by recursive SQL over the observations, compare with the totals, print differences.

    Exits with 1 if there are any.
    """
    _run_command("maintenance", "verify", repair=repair, data_dir=data_dir)


@app.command()
def compact(data_dir: DataDir = None) -> None:
    """Add up partial sums that many small batches have left behind. No answer changes; reading gets faster."""
    _run_command("maintenance", "compact", data_dir=data_dir)


@app.command()
def queue(data_dir: DataDir = None) -> None:
    """Show how many batches wait, for how long, and how fast they end."""
    _run_command("maintenance", "queue", data_dir=data_dir)


@app.command()
def audit(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="From this time on (UTC).")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many entries.", min=1, max=100_000)] = 50,
    data_dir: DataDir = None,
) -> None:
    """Show who has changed what, the newest first: uploads, reverts, changes of the tree, tokens."""
    _run_command("audit", "show", since=since, limit=limit, data_dir=data_dir)


@app.command()
def schema(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with schema.graphql instead; exit 1 if not equal.")
    ] = False,
) -> None:
    """Print the GraphQL schema."""
    _run_command("schema", "schema", check=check)


@locations_app.callback()
def locations() -> None:
    """Load ports and regions."""


@locations_app.command("load")
def load_locations(
    regions: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV with slug,name,parent_slug.")
    ] = None,
    ports: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV with code,name,parent_slug.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Add or update regions and ports. What moves takes its prices' averages along; on an error nothing changes."""
    if regions is None and ports is None:
        raise typer.BadParameter("Give --regions, --ports or both.")
    _run_command("locations", "load", regions=regions, ports=ports, data_dir=data_dir)


@prices_app.callback()
def prices() -> None:
    """Load prices."""


@prices_app.command("load")
def load_prices(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...", show_default=False)],
    on_error: Annotated[
        OnErrorChoice, typer.Option(help="What an invalid item does: reject its whole file, or be skipped.")
    ] = OnErrorChoice.REJECT,
    again: Annotated[bool, typer.Option("--again", help="Load a file even if it was loaded before.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Load CSV, NDJSON or Parquet files (.gz too), each as one batch, all or nothing.

    Columns: origin_code,destination_code,day,price or origin,destination,date_from,date_to,price; optionally currency.
    A file is recognised by its content: it is not loaded a second time by accident. Exits with 1 if any file failed.
    """
    skip = on_error is OnErrorChoice.SKIP
    _run_command("prices", "load", files=files, skip_invalid=skip, again=again, data_dir=data_dir)


@prices_app.command("upload")
def upload_prices(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    url: Annotated[str, typer.Option(help="The server's endpoint.")] = "http://127.0.0.1:8000/graphql",
    token: Annotated[
        str | None,
        typer.Option(envvar="RATESGRAPH_TOKEN", show_default=False, help="What the server knows its caller by."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the token over plain http, also beyond this machine.")
    ] = False,
    on_error: Annotated[
        OnErrorChoice, typer.Option(help="What an invalid item does: reject its whole file, or be skipped.")
    ] = OnErrorChoice.REJECT,
    again: Annotated[bool, typer.Option("--again", help="Upload a file even if it was uploaded before.")] = False,
    rejections: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Write every problem of an item to this file.")
    ] = None,
) -> None:
    """Upload CSV, NDJSON or Parquet files (.gz too) to a server, each as one batch, and wait until they are applied.

    Interrupted at any moment and run again, it goes on from there: a file is recognised by its content and never applied
    twice. Exits with 1 if any file is not in.
    """
    skip = on_error is OnErrorChoice.SKIP
    _run_command(
        "upload",
        "upload",
        files=files,
        url=url,
        token=token,
        insecure=insecure,
        skip_invalid=skip,
        again=again,
        rejections=rejections,
    )


@rates_app.callback()
def rates() -> None:
    """Refresh exchange rates."""


@rates_app.command("refresh")
def refresh_rates(data_dir: DataDir = None) -> None:
    """Fetch newer exchange rates and store what is new or corrected; on an error nothing changes.

    They come from the European Central Bank, or from openexchangerates.org when RATESGRAPH_OPENEXCHANGERATES_APP_ID is set.
    """
    _run_command("rates", "refresh", data_dir=data_dir)


@token_app.callback()
def token() -> None:
    """Let others call the server."""


@token_app.command("create")
def create_token(
    name: Annotated[
        str, typer.Option(show_default=False, help="Whose it is. All tokens of a name see the same batches.")
    ],
    scope: Annotated[list[AuthScope], typer.Option(show_default=False, help="What it may do; may be given again.")],
    expires: Annotated[
        str, typer.Option(help="Until when: a number of days (90d), a day (2027-01-31) or never.")
    ] = "90d",
    data_dir: DataDir = None,
) -> None:
    """Make a token and print it, once: only a digest of it is kept."""
    _run_command("tokens", "create", name=name, scopes=sorted(set(scope)), expires=expires, data_dir=data_dir)


@token_app.command("list")
def list_tokens(data_dir: DataDir = None) -> None:
    """Show all tokens: whose they are, what they may do, and when they were last used, to within ten minutes."""
    _run_command("tokens", "list_all", data_dir=data_dir)


@token_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", show_default=False)], data_dir: DataDir = None
) -> None:
    """Refuse a token from now on, for good. Servers know it within a second, and end what runs under it."""
    _run_command("tokens", "revoke", token=token, data_dir=data_dir)


def main() -> None:
    """Run the command; turn what users can cause or mend into one line."""
    try:
        app()
    except Exception as error:
        message = import_module("server.cli.console").describe_error(error)
        import_module("server.observability.log_config").report_command_failure(message, error)
        raise SystemExit(1) from None
