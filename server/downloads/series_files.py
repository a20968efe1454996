"""Files of price series: one row per lane and bucket, as CSV, Parquet or Arrow.

Only Parquet and Arrow need polars, so it is imported with the first such file.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import repeat
from typing import Any

from server.downloads.series_request import SeriesRequest

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
}
"""Media types by file extension, as registered with IANA."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Mapping[str, str] = {
    "asked_origin": "String",
    "asked_destination": "String",
    "origin": "String",
    "destination": "String",
    "date_from": "Date",
    "date_to": "Date",
    "partial": "Boolean",
    "currency": "String",
    "price_count": "Int64",
    "average": "Float64",
    "null_reason": "String",
    "change": "Float64",
    "change_percent": "Float64",
}
"""Columns before those of percentiles, with their polars types."""


ERROR = "statistics_error"
"""Column behind those of percentiles: their largest relative error."""


def create_table(request: SeriesRequest, series: Mapping[str, Any]) -> Iterator[dict[str, Sequence[object]]]:
    """Yield the columns of each lane. `series` is the data of the request's operation."""
    size = len(series["from"])
    for (asked_origin, asked_destination), lane in zip(request.lanes, series["lanes"], strict=True):
        yield {
            "asked_origin": [*repeat(asked_origin, size)],
            "asked_destination": [*repeat(asked_destination, size)],
            "origin": [*repeat(_key(lane["origin"]), size)],
            "destination": [*repeat(_key(lane["destination"]), size)],
            "date_from": series["from"],
            "date_to": series["to"],
            "partial": series["partial"],
            "currency": [*repeat(series["currency"], size)],
            "price_count": lane["counts"],
            "average": lane["averages"],
            "null_reason": lane["nullReasons"],
            "change": lane["changes"],
            "change_percent": lane["changePercents"],
            **{name: lane[name] for name in request.percentiles},
            **({ERROR: [*repeat(lane["statisticsError"], size)]} if request.percentiles else {}),
        }


def _statistics(request: SeriesRequest) -> list[str]:
    """Return the columns of the percentiles and of their error."""
    return [*request.percentiles, ERROR] if request.percentiles else []


def _key(location: Mapping[str, str] | None) -> str:
    return "" if location is None else location["key"]


def encode_csv(request: SeriesRequest, series: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the header and the lines of each lane.

    Text that a spreadsheet would run as a formula gets an apostrophe in front (CSV injection). Numbers stay numbers.
    """
    yield ",".join([*COLUMNS, *_statistics(request)]).encode() + b"\r\n"
    for columns in create_table(request, series):
        lines = io.StringIO()
        writer = csv.writer(lines)
        writer.writerows(zip(*(map(_to_cell, column) for column in columns.values()), strict=True))
        yield lines.getvalue().encode()


def _to_cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def encode_binary(file_format: str, request: SeriesRequest, series: Mapping[str, Any]) -> bytes:
    """Return the table as a Parquet or Arrow file."""
    pl = import_module("polars")
    types = {name: getattr(pl, kind) for name, kind in COLUMNS.items()} | dict.fromkeys(
        _statistics(request), pl.Float64
    )
    parsed = {**types, "date_from": pl.String, "date_to": pl.String}
    table = pl.concat(pl.DataFrame(columns, schema=parsed, strict=False) for columns in create_table(request, series))
    table = table.with_columns(pl.col("date_from", "date_to").str.to_date("%Y-%m-%d"))
    file = io.BytesIO()
    if file_format == "parquet":
        table.write_parquet(file)
    else:
        table.write_ipc(file)
    return file.getvalue()
