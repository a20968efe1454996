"""`ratesgraph series`: price series as a file, from a server or from the database."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from starlette.applications import Starlette

from resolvers.caller import AuthScope, Caller
from resolvers.context import RequestContext
from server.app import create_schema
from server.cli.api_client import open_client
from server.cli.console import CommandError, open_database, print_line, read_settings
from server.config.settings import Settings
from server.downloads.series import execute_series
from server.downloads.series_files import CONTENT_TYPES, encode_binary, encode_csv
from server.downloads.series_request import parse_series_request
from server.http.errors import HttpError
from server.lifespan import create_lifespan

READER = Caller("command", frozenset({AuthScope.READ}))


def download(
    parameters: Sequence[tuple[str, object]],
    *,
    file_format: str | None,
    output: Path | None,
    url: str | None,
    token: str | None,
    insecure: bool,
    data_dir: Path | None,
) -> None:
    """Write the series to a file or to standard output.

    The parameters are those of the download; None and empty values are left out.
    """
    chosen = file_format or _format_of(output)
    if output is None and chosen != "csv" and sys.stdout.isatty():
        raise CommandError(f"A terminal cannot show {chosen}; write it to a file: --output series.{chosen}.")
    given = [(name, value) for name, value in parameters if value not in {None, ""}]
    # Arguments that are not valid UTF-8 contain surrogates.
    query_string = urlencode(given, errors="replace")
    if url is not None:
        with open_client(url, token, insecure=insecure) as client:
            content = client.download(f"/series.{chosen}?{query_string}")
    else:
        settings = read_settings(data_dir=data_dir)
        with open_database(settings) as database_url:
            content = asyncio.run(_read(settings, database_url, chosen, query_string))
    if output is None and chosen == "csv":
        sys.stdout.write(content.decode())
    elif output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)
        print_line(f"{output}: {len(content):,} bytes")


def _format_of(output: Path | None) -> str:
    suffix = "csv" if output is None else output.suffix.removeprefix(".").lower()
    if suffix not in CONTENT_TYPES:
        raise CommandError(f"The format of {output} is unknown; add --format {'|'.join(CONTENT_TYPES)}.")
    return suffix


async def _read(settings: Settings, database_url: str, file_format: str, query_string: str) -> bytes:
    """Return the file, computed as the server computes it."""
    # A single response does not need replicas.
    settings = settings.model_copy(update={"read_urls": None})
    async with create_lifespan(settings, database_url, writes_are_open=False)(Starlette()) as state:
        context = RequestContext(state["app_context"], READER)
        try:
            request = parse_series_request(query_string.encode())
            series = await execute_series(create_schema(settings), request, context)
        except HttpError as error:
            raise CommandError(f"{error.code}: {error.message}") from error
    if file_format == "csv":
        return b"".join(encode_csv(request, series))
    return encode_binary(file_format, request, series)
