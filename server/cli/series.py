"""Options of `ratesgraph series`."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from server.cli.options import DAY, DataDir, parse_day, run_command


class IntervalChoice(StrEnum):
    """Length of a bucket."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class FormatChoice(StrEnum):
    """Format of the file."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


def series(
    lane: Annotated[
        list[str],
        typer.Option(
            metavar="ORIGIN:DESTINATION", show_default=False, help="Ports or regions; may be given several times."
        ),
    ],
    first: Annotated[
        date, typer.Option("--from", parser=parse_day, metavar=DAY, show_default=False, help="First day.")
    ],
    last: Annotated[
        date, typer.Option("--to", parser=parse_day, metavar=DAY, show_default=False, help="Last day, inclusive.")
    ],
    interval: Annotated[IntervalChoice, typer.Option(help="Length of a bucket.")] = IntervalChoice.DAY,
    minimum_sample: Annotated[int, typer.Option(help="A bucket with fewer prices has only a count.", min=1)] = 3,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of the currency of all amounts.")] = "USD",
    percentiles: Annotated[
        str, typer.Option(show_default=False, help="Columns of statistics, such as 0,25,50,75,100.")
    ] = "",
    max_levels: Annotated[
        int | None,
        typer.Option(help="Answer a lane with few prices by regions up to so many levels above it.", min=1, max=20),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(help="Fraction of the buckets that must have figures (0 to 1); else a larger region answers."),
    ] = None,
    file_format: Annotated[
        FormatChoice | None, typer.Option("--format", help="Format; by default that of the name of --output, or csv.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write (default: standard output).")] = None,
    url: Annotated[
        str | None, typer.Option(help="GraphQL endpoint of a server to ask (default: read the database).")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="RATESGRAPH_TOKEN", show_default=False, help="API token with the read scope.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow sending the token over unencrypted http to another machine.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Write price series as CSV, Parquet or Arrow: one row for each lane and bucket."""
    parameters = [
        *(("lane", each) for each in lane),
        ("dateFrom", first),
        ("dateTo", last),
        ("interval", interval.value.upper()),
        ("minimumSample", minimum_sample),
        ("currency", currency),
        ("percentiles", percentiles),
        ("maxLevels", max_levels),
        ("coverage", coverage),
    ]
    run_command(
        "series",
        "download",
        parameters=parameters,
        file_format=None if file_format is None else file_format.value,
        output=output,
        url=url,
        token=token,
        insecure=insecure,
        data_dir=data_dir,
    )
