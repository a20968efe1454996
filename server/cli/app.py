"""Command line of `ratesgraph`: the commands with their options and help texts.

Errors are one line on standard error; exit codes are 0 (success), 1 (failure) and 2 (usage error). A command's module in
`server.cli.commands` is imported when the command runs: it loads polars, PostgreSQL and GraphQL, which `--help` does not need.
"""

from datetime import datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from server.cli.consume import consume
from server.cli.maintenance import archive, compact, distribute, verify
from server.cli.options import TIME, DataDir, OnErrorChoice, OnErrorOption, parse_time, run_command
from server.cli.output_encoding import configure_output
from server.cli.series import series
from server.cli.tokens import token_app
from server.cli.usage_errors import PlainGroup

app = typer.Typer(
    cls=PlainGroup,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
locations_app = typer.Typer(no_args_is_help=True, help="Load ports and regions.")
prices_app = typer.Typer(no_args_is_help=True, help="Load prices.")
rates_app = typer.Typer(no_args_is_help=True, help="Refresh exchange rates.")
app.add_typer(locations_app, name="locations")
app.add_typer(prices_app, name="prices")
app.add_typer(rates_app, name="rates")
app.add_typer(token_app, name="token")


def _print_version(*, requested: bool) -> None:
    if requested:
        typer.echo(f"ratesgraph {version('ratesgraph')}")
        raise typer.Exit


@app.callback()
def ratesgraph(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(requested=value),
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Ratesgraph: a GraphQL API server for ocean-freight prices."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000).", min=0, max=65_535)] = None,
    data_dir: DataDir = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo", help="Fill an empty database with demo data (default: only the embedded database)."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Number of server processes (default: 1).", min=1, max=64)] = None,
) -> None:
    """Serve GraphQL until Ctrl-C.

    Uses the database of DATABASE_URL, or starts the embedded one, and migrates it first.
    """
    overrides = {"host": host, "port": port, "data_dir": data_dir, "workers": workers}
    run_command("serve", "serve", overrides=overrides, demo=demo)


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(help="Number of batches applied at the same time.", min=1, max=64)] = 1,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End once no batch is queued or running.")] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="Stop when standard input closes.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Apply uploaded batches until Ctrl-C.

    Any number of workers, on any number of machines, share one queue.
    """
    run_command(
        "worker",
        "worker",
        concurrency=concurrency,
        until_empty=until_empty,
        with_parent=with_parent,
        data_dir=data_dir,
    )


@app.command(hidden=True)
def prepare(demo: Annotated[bool, typer.Option("--demo/--no-demo")] = False) -> None:
    """Prepare the database for `serve`, in a separate process."""
    run_command("database.maintenance", "prepare", demo=demo)


@app.command()
def migrate(
    contract: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Store later totals in a form that older releases misread; only after their servers and workers have stopped.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Migrate the database schema and load the bundled exchange rates."""
    run_command("database.maintenance", "migrate", contract=contract, data_dir=data_dir)


@app.command()
def queue(data_dir: DataDir = None) -> None:
    """Show how many batches are queued, for how long, and how fast they finish."""
    run_command("database.maintenance", "queue", data_dir=data_dir)


for command in (archive, compact, consume, distribute, series, verify):
    app.command()(command)


@app.command()
def sample(
    lanes: Annotated[int, typer.Option(help="Number of lanes to copy.", min=1, show_default=False)],
    to: Annotated[
        str,
        typer.Option(metavar="FOLDER|URL", show_default=False, help="New data folder, or URL of an empty database."),
    ],
    seed: Annotated[int, typer.Option(help="Another seed chooses other lanes.")] = 1,
    data_dir: DataDir = None,
) -> None:
    """Make a small database for development or staging from a large one.

    It has the whole region tree, all exchange rates, and some lanes with all their prices: every kind of edge case,
    and the markets in their proportions. Tokens, uploaders, payloads and the audit trail are not copied.
    The same data and seed give the same sample.
    """
    run_command("database.sample", "sample", lanes=lanes, seed=seed, to=to, data_dir=data_dir)


@app.command()
def audit(
    since: Annotated[datetime | None, typer.Option(parser=parse_time, metavar=TIME, help="Start time (UTC).")] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of entries.", min=1, max=100_000)] = 50,
    data_dir: DataDir = None,
) -> None:
    """Show the audit trail, newest entries first.

    It records uploads, reverts, changes of the tree and tokens.
    """
    run_command("audit", "show", since=since, limit=limit, data_dir=data_dir)


@app.command()
def schema(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with schema.graphql instead; exit with 1 if they differ.")
    ] = False,
) -> None:
    """Print the GraphQL schema."""
    run_command("schema", "schema", check=check)


@locations_app.callback()
def locations() -> None:
    """Load ports and regions."""


@locations_app.command("load")
def load_locations(
    regions: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV file or workbook with slug,name,parent_slug.")
    ] = None,
    ports: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV file or workbook with code,name,parent_slug.")
    ] = None,
    aliases: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV file or workbook with alias,key[,source].")
    ] = None,
    large: Annotated[
        bool,
        typer.Option(
            "--large", help="Apply the change without the limit RATESGRAPH_MAX_MOVED_LANE_MONTHS; it may take minutes."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Add or update regions, ports and aliases.

    Averages are updated for every location that moves. An alias without a key is removed.
    If an error occurs, nothing is changed.
    """
    if regions is None and ports is None and aliases is None:
        raise typer.BadParameter("Specify --regions, --ports or --aliases.")
    files = {"regions": regions, "ports": ports, "aliases": aliases}
    run_command("locations", "load", **files, large=large, data_dir=data_dir)


@prices_app.callback()
def prices() -> None:
    """Load prices."""


@prices_app.command("load")
def load_prices(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE", show_default=False)],
    on_error: OnErrorOption = OnErrorChoice.REJECT,
    again: Annotated[bool, typer.Option("--again", help="Load files even if they were loaded before.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Load CSV, NDJSON, Parquet or Excel files, each as one batch.

    Columns: origin_code,destination_code,day,price or origin,destination,date_from,date_to,price; optionally currency.

    Files are recognised by their content, so none is loaded twice by accident.
    Exits with 1 if any file failed.
    """
    skip = on_error is OnErrorChoice.SKIP
    run_command("prices", "load", files=files, skip_invalid=skip, again=again, data_dir=data_dir)


@prices_app.command("upload")
def upload_prices(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", show_default=False)],
    url: Annotated[str, typer.Option(help="GraphQL endpoint of the server.")] = "http://127.0.0.1:8000/graphql",
    token: Annotated[
        str | None,
        typer.Option(envvar="RATESGRAPH_TOKEN", show_default=False, help="API token with the upload scope."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow sending the token over unencrypted http to another machine.")
    ] = False,
    on_error: OnErrorOption = OnErrorChoice.REJECT,
    again: Annotated[bool, typer.Option("--again", help="Upload files even if they were uploaded before.")] = False,
    rejections: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Write all problems of items to this file.")
    ] = None,
) -> None:
    """Upload CSV, NDJSON, Parquet or Excel files, each as one batch.

    Waits until the batches are applied. Exits with 1 if any file was not applied.

    After an interruption, run the command again to continue.
    Files are recognised by their content and never applied twice.
    """
    skip = on_error is OnErrorChoice.SKIP
    options = {"files": files, "url": url, "token": token, "insecure": insecure}
    run_command("upload", "upload", **options, skip_invalid=skip, again=again, rejections=rejections)


@rates_app.callback()
def rates() -> None:
    """Refresh exchange rates."""


@rates_app.command("refresh")
def refresh_rates(data_dir: DataDir = None) -> None:
    """Fetch exchange rates and store those that are new or corrected.

    The source is the European Central Bank, or openexchangerates.org
    if RATESGRAPH_OPENEXCHANGERATES_APP_ID is set. On an error nothing changes.
    """
    run_command("rates", "refresh", data_dir=data_dir)


def run() -> None:
    """Run the command line; report an error that the user can fix as one line."""
    configure_output()
    try:
        app()
    except Exception as error:
        message = import_module("server.cli.console").describe_error(error)
        import_module("server.observability.log_config").report_command_failure(message, error)
        raise SystemExit(1) from None
