"""`ratesgraph series`: the same file from the database and from a server, and clear errors."""

import io
from pathlib import Path

import polars as pl
import pytest

from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client

OPTIONS = [
    *("--lane", "CNSGH:north_europe_main", "--lane", "china_main:scandinavia", "--from", "2016-01-01"),
    *(
        "--to",
        "2016-01-31",
        "--interval",
        "week",
        "--currency",
        "EUR",
        "--percentiles",
        "0,50,100",
        "--max-levels",
        "2",
    ),
]


def test_series_of_the_database_and_of_a_server_are_the_same_file(
    reference_client: Client, module_database_url: str, tmp_path: Path
) -> None:
    url = str(reference_client.http.base_url.join("/graphql"))
    printed = ratesgraph_in_process(module_database_url, "series", *OPTIONS).stdout
    assert printed.startswith("asked_origin,asked_destination,origin,destination,date_from,date_to,")
    assert printed == ratesgraph_in_process(None, "series", *OPTIONS, "--url", url).stdout
    assert len(printed.splitlines()) == 1 + 2 * 5
    for name, read in (("series.parquet", pl.read_parquet), ("series.arrow", pl.read_ipc)):
        path = tmp_path / name
        done = ratesgraph_in_process(module_database_url, "series", *OPTIONS, "--output", path)
        assert done.stdout == f"{path}: {path.stat().st_size:,} bytes\n"
        table = read(path)
        assert table.equals(pl.read_csv(io.StringIO(printed.replace("\r\n", "\n")), schema=table.schema))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lane", "CNSGH"], "BAD_PARAMETER: `lane` must be `ORIGIN:DESTINATION`"),
        (["--lane", "CNSGH:XXXXX"], "UNKNOWN_LOCATION: lanes.0.destination: unknown location"),
        (["--lane", "CNSGH:\udcff"], 'UNKNOWN_LOCATION: lanes.0.destination: unknown location "?".'),
        (["--lane", "CNSGH:NLRTM", "--currency", "QQQ"], "UNKNOWN_CURRENCY: currency: no exchange rate known"),
        (["--lane", "CNSGH:NLRTM", "--output", "series.xlsx"], "The format of series.xlsx is unknown; add --format"),
    ],
)
def test_series_command_reports_an_error_as_one_line(
    reference_client: Client, module_database_url: str, options: list[str], message: str
) -> None:
    days = ["--from", "2016-01-01", "--to", "2016-01-31"]
    done = ratesgraph_in_process(module_database_url, "series", *options, *days, exit_code=1)
    assert done.stderr.startswith(message)
    if "--output" not in options:
        url = str(reference_client.http.base_url.join("/graphql"))
        assert ratesgraph_in_process(None, "series", *options, *days, "--url", url, exit_code=1).stderr == done.stderr


def test_series_of_an_unreachable_server_are_an_error() -> None:
    done = ratesgraph_in_process(None, "series", *OPTIONS, "--url", "http://127.0.0.1:1/graphql", exit_code=1)
    assert done.stderr.startswith("http://127.0.0.1:1/series.csv does not answer: ")
