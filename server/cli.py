"""The `ratesgraph` command. Errors are one clear line on standard error; exit codes are 0 (done), 1 (failed), 2 (usage)."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from db.errors import DatabaseError
from ingest.errors import IngestError
from server.commands import locations, prices, serve, verify
from server.console import DataDir, err, open_database, out, read_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ratesgraph: a GraphQL API server for ocean-freight prices.",
)
app.add_typer(locations.app, name="locations")
app.add_typer(prices.app, name="prices")


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000).", min=0, max=65_535)] = None,
    data_dir: DataDir = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo", help="Fill an empty database with demo data (default: the embedded one only)."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes (default: 1).", min=1, max=64)] = None,
) -> None:
    """Start the database (embedded, or that of DATABASE_URL), bring it up to date, and serve GraphQL until Ctrl-C."""
    settings = read_settings(host=host, port=port, data_dir=data_dir, workers=workers)
    serve.serve(settings, demo=settings.database_url is None if demo is None else demo)


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's schema and the exchange rates up to date."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        applied = serve.prepare(url, demo=False)
    if not applied:
        out.print("The schema is up to date.")


@app.command()
def schema(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with schema.graphql instead; exit 1 if it differs.")
    ] = False,
) -> None:
    """Print the GraphQL schema."""
    from graph.schema import schema as graphql_schema

    sdl = f"{graphql_schema.as_str()}\n"
    if not check:
        sys.stdout.write(sdl)
        return
    file = Path("schema.graphql")
    if not file.exists() or file.read_text(encoding="utf-8") != sdl:
        err.print("[red]schema.graphql is not what the code makes: run `make schema`.[/red]")
        raise typer.Exit(1)
    out.print("schema.graphql is what the code makes.")


app.command("verify")(verify.verify_command)


def main() -> None:
    """Run the command; turn what users can cause or mend into one line."""
    try:
        app()
    except (DatabaseError, serve.ServeError) as error:
        _fail(str(error))
    except IngestError as error:
        _fail(f"{error.code}: {error.message}")
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"Setting {'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    except OSError as error:
        _fail(f"{error.filename or ''}: {error.strerror or error}")


def _fail(message: str) -> None:
    err.print(message, style="red", markup=False, soft_wrap=True)
    raise SystemExit(1)
