"""Downloads of price series over real HTTP: equal to the answers, or refused clearly."""

import csv
import gzip
import io

import httpx
import polars as pl
import pytest

from tests.support.fixtures.server import Client, Json

QUERY = """
query ($lanes: [LaneInput!]!, $fallback: FallbackInput) {
  priceSeries(lanes: $lanes, dateFrom: "2016-01-01", dateTo: "2016-01-31", interval: WEEK, currency: "EUR",
              minimumSample: 25, fallback: $fallback) {
    downloadUrl parquet: downloadUrl(format: PARQUET) arrow: downloadUrl(format: ARROW)
    from to partial currency
    lanes { origin { key } destination { key } counts averages nullReasons changes changePercents p2_5: percentile(at: 2.5)
            statisticsError }
  }
}
"""
LANES = [("CNSGH", "north_europe_main"), ("china_main", "scandinavia"), ("CNSGH", "NOFRO")]
GOOD = "lane=CNSGH:NLRTM&dateFrom=2016-01-01&dateTo=2016-01-31"
COLUMNS = {
    "price_count": "counts",
    "average": "averages",
    "null_reason": "nullReasons",
    "change": "changes",
    "change_percent": "changePercents",
    "p2_5": "p2_5",
}


def ask(client: Client, fallback: Json | None) -> Json:
    """Return the series of the lanes."""
    lanes = [{"origin": origin, "destination": destination} for origin, destination in LANES]
    series: Json = client.ask(QUERY, lanes=lanes, fallback=fallback)["priceSeries"]
    return series


def expected_rows(series: Json) -> list[Json]:
    """Return the rows of the file with these series."""
    return [
        {
            "asked_origin": asked_origin,
            "asked_destination": asked_destination,
            "origin": lane["origin"]["key"],
            "destination": lane["destination"]["key"],
            "date_from": series["from"][at],
            "date_to": series["to"][at],
            "partial": series["partial"][at],
            "currency": "EUR",
            **{column: lane[name][at] for column, name in COLUMNS.items()},
            "statistics_error": lane["statisticsError"],
        }
        for (asked_origin, asked_destination), lane in zip(LANES, series["lanes"], strict=True)
        for at in range(len(series["from"]))
    ]


def download(client: Client, path: str, **headers: str) -> httpx.Response:
    """Return the response to a download."""
    return client.http.get(path, headers=headers)


@pytest.mark.parametrize(("accepted", "coding"), [("gzip, br", "gzip"), ("gzip;q=0", None), ("identity", None)])
def test_csv_is_compressed_for_clients_that_accept_gzip(
    reference_client: Client, accepted: str, coding: str | None
) -> None:
    path = f"/series.csv?{GOOD}"
    with reference_client.http.stream("GET", path, headers={"Accept-Encoding": accepted}) as response:
        body = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == coding
    assert "Accept-Encoding" in response.headers["vary"]
    plain = download(reference_client, path, **{"Accept-Encoding": "identity"}).content
    assert (gzip.decompress(body) if coding else body) == plain
    assert len(body) < len(plain) / 3 or coding is None
    parquet = download(reference_client, f"/series.parquet?{GOOD}", **{"Accept-Encoding": "gzip"})
    # Its columns are compressed already.
    assert "content-encoding" not in parquet.headers


@pytest.mark.parametrize("fallback", [None, {"maxLevels": 3, "coverage": 0.5}])
def test_series_files_of_all_formats_equal_the_answer(reference_client: Client, fallback: Json | None) -> None:
    series = ask(reference_client, fallback)
    rows = expected_rows(series)
    found = download(reference_client, f"{series['downloadUrl']}&percentiles=2.5")
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert found.headers["content-disposition"] == 'attachment; filename="series.csv"'
    lines = list(csv.DictReader(io.StringIO(found.text, newline="")))
    assert lines == [
        {
            name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in row.items()
        }
        for row in rows
    ]
    for name, read in (("parquet", pl.read_parquet), ("arrow", pl.read_ipc)):
        table = read(io.BytesIO(download(reference_client, f"{series[name]}&percentiles=2.5").content))
        assert table.with_columns(pl.col("date_from", "date_to").cast(pl.String)).to_dicts() == rows


def test_series_file_has_a_column_for_each_percentile(reference_client: Client) -> None:
    percentiles = "50,50.0,-0,33.333333,33.3333331,1e-5"
    found = download(reference_client, f"/series.csv?{GOOD}&interval=MONTH&percentiles={percentiles}")
    header, _ = found.text.splitlines()
    names = ["p50", "p0", "p33_333333", "p33_3333331", "p1e_05", "statistics_error"]
    assert header.split(",")[-6:] == names


def test_series_file_has_an_etag_and_is_not_sent_twice(reference_client: Client) -> None:
    path = ask(reference_client, None)["downloadUrl"]
    first = download(reference_client, path)
    again = download(reference_client, path, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = download(reference_client, path.replace(".csv", ".arrow"), **{"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("series.xlsx?" + GOOD, 404, "NOT_FOUND", "Unknown format"),
        ("series.csv", 400, "BAD_PARAMETER", "The parameter `lane` is missing."),
        ("series.csv?lane=CNSGH&dateFrom=2016-01-01", 400, "BAD_PARAMETER", "`lane` must be `ORIGIN:DESTINATION`"),
        ("series.csv?lane=CNSGH:NLRTM&dateFrom=2016-01-01", 400, "BAD_PARAMETER", "The parameter `dateTo` is missing."),
        (f"series.csv?{GOOD}&intervall=WEEK", 400, "BAD_PARAMETER", "Unknown parameter `intervall`"),
        (f"series.csv?{GOOD}&minimumSample=x", 400, "BAD_PARAMETER", "`minimumSample` must be a number."),
        (f"series.csv?{GOOD}&minimumSample=1_0", 400, "BAD_PARAMETER", "`minimumSample` must be a number."),
        (f"series.csv?{GOOD}&minimumSample=%D9%A3", 400, "BAD_PARAMETER", "`minimumSample` must be a number."),
        (f"series.csv?{GOOD}&percentiles=2_5", 400, "BAD_PARAMETER", "`percentiles` must be numbers from 0 to 100"),
        ("series.csv?" + "lane=CNSGH:NLRTM&" * 199 + "x&y", 400, "BAD_PARAMETER", "or has more than 200 parameters."),
        (f"series.csv?{GOOD}&dateTo=2016-01-02", 400, "BAD_PARAMETER", "The parameter `dateTo` is given twice"),
        (
            f"series.csv?currency=EUR&{GOOD}&currency=EUR",
            400,
            "BAD_PARAMETER",
            "The parameter `currency` is given twice",
        ),
        (f"series.csv?{GOOD}&coverage=nan", 400, "BAD_PARAMETER", "`coverage` must be a finite number."),
        (f"series.csv?{GOOD}&percentiles=101", 400, "BAD_PARAMETER", "`percentiles` must be numbers from 0 to 100"),
        (f"series.csv?{GOOD}&minimumSample=0", 400, "INVALID_SAMPLE", "minimumSample must be between"),
        (f"series.csv?{GOOD}&interval=fortnight", 400, "BAD_USER_INPUT", "Value 'FORTNIGHT' does not exist"),
        (f"series.csv?{GOOD}&currency=XXQ", 400, "UNKNOWN_CURRENCY", "currency: no exchange rate known"),
        ("series.csv?" + GOOD.replace("NLRTM", "XXXXX"), 400, "UNKNOWN_LOCATION", "lanes.0.destination"),
        ("series.csv?" + GOOD.replace("-01-31", "-13-31"), 400, "INVALID_DATE", '"2016-13-31" is not a valid date'),
    ],
)
def test_series_request_with_an_error_is_refused_with_a_code(
    reference_client: Client, path: str, status: int, code: str, message: str
) -> None:
    response = download(reference_client, f"/{path}")
    [error] = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (status, code)
    assert message in error["message"]
