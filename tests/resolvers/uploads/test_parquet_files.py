"""Parquet files over real HTTP and by command: no value and no damage is a server error."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from tests.support.batches.parquet import arrow_parquet, days_from_numbers
from tests.support.batches.price_files import form, send
from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, Json, running_server, running_worker

ITEMS = 5
OUTSIDE_THE_CALENDAR = arrow_parquet(
    {
        "origin": pa.array(["CNSGH"] * ITEMS),
        "destination": pa.array(["NLRTM"] * ITEMS),
        "date_from": days_from_numbers(2**31 - 1, 19_723, 19_723, None, 19_723),
        "date_to": days_from_numbers(None, -(2**31), None, None, 95_026_601),
        "price": pa.array([1.0, 2.0, 30.0, float("nan"), 5.0]),
        "currency": pa.array(["USD"] * ITEMS),
    }
)
PROBLEMS = [
    {"item": 1, "field": "dateFrom", "code": "INVALID_DATE", "value": "infinity"},
    {"item": 2, "field": "dateTo", "code": "INVALID_DATE", "value": "1970-01-01 -2147483648 days"},
    {"item": 4, "field": "dateFrom", "code": "MISSING_VALUE", "value": None},
    {"item": 4, "field": "price", "code": "INVALID_PRICE", "value": "NaN"},
    {"item": 5, "field": "dateTo", "code": "INVALID_DATE", "value": "1970-01-01 +95026601 days"},
]


@pytest.fixture(scope="module")
def database(module_database_url: str) -> str:
    """A database with two ports."""
    create_locations(module_database_url)
    return module_database_url


@pytest.fixture(scope="module")
def client(database: str) -> Iterator[Client]:
    """A server and a worker."""
    with running_worker(database), running_server(database) as client:
        yield client


def attempts(database: str, batch: Json) -> tuple[int, str | None]:
    """Return the number of attempts and the failure of a batch."""
    with psycopg.connect(database) as connection:
        statement = "SELECT attempts, failure FROM price_batches ORDER BY id DESC LIMIT 1"
        row = connection.execute(statement).fetchone()
    assert row is not None, batch
    return row


def test_parquet_upload_reports_days_outside_the_calendar_as_problems_of_items(client: Client, database: str) -> None:
    payload = send(client, OUTSIDE_THE_CALENDAR, "prices.parquet")
    assert payload["userErrors"] == PROBLEMS
    assert payload["batch"]["status"] == "REJECTED"
    assert attempts(database, payload["batch"]) == (1, None)


def test_parquet_dry_run_reports_the_problems_of_the_upload(client: Client) -> None:
    payload = send(client, OUTSIDE_THE_CALENDAR, "prices.parquet", dryRun=True)
    assert payload["userErrors"] == PROBLEMS
    assert payload["preview"]["status"] == "REJECTED"


def test_parquet_upload_applies_the_valid_items_if_invalid_ones_are_skipped(client: Client, database: str) -> None:
    payload = send(client, OUTSIDE_THE_CALENDAR, "prices.parquet", onError="SKIP_INVALID")
    assert (payload["batch"]["status"], payload["batch"]["acceptedCount"]) == ("APPLIED", 1)
    assert payload["userErrors"] == PROBLEMS
    assert attempts(database, payload["batch"]) == (1, None)


def test_parquet_upload_can_be_downloaded_with_its_rejections(client: Client) -> None:
    send(client, OUTSIDE_THE_CALENDAR, "prices.parquet")
    batches = client.ask("{ batches(first: 1) { edges { node { rejectionsUrl } } } }")["batches"]
    report = client.http.get(batches["edges"][0]["node"]["rejectionsUrl"])
    first = report.text.splitlines()[1]
    assert first.startswith("1,ERROR,dateFrom,INVALID_DATE,")
    assert first.endswith(",infinity,CNSGH,NLRTM,infinity,,1.0,USD")


def test_prices_load_reports_parquet_problems_without_a_traceback(database: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.parquet"
    file.write_bytes(OUTSIDE_THE_CALENDAR)
    done = ratesgraph_in_process(database, "prices", "load", file, exit_code=1)
    assert "INVALID_DATE" in done.stderr
    assert "infinity" in done.stderr
    file.write_bytes(arrow_parquet({"price": pa.array([[1], [2]])}))
    done = ratesgraph_in_process(database, "prices", "load", file, exit_code=1)
    assert "prices.parquet: WRONG_COLUMNS: column price has type List(Int64)" in done.stderr


DAYS = 100
DAMAGED = 8
"""Number of damaged files per compression; reading one takes half a second."""


def damage(data: bytes, random: random.Random) -> bytes:
    """Return the file with bytes changed, removed or repeated, of its values or its metadata."""
    size = struct.unpack("<I", data[-8:-4])[0]
    footer = bytearray(data[-8 - size : -8])
    body = bytearray(data[: -8 - size])
    target = random.choice([body, footer])
    for _ in range(random.choice([1, 1, 2, 8])):
        at = random.randrange(len(target))
        match random.randrange(4):
            case 0:
                target[at] ^= 1 << random.randrange(8)
            case 1:
                target[at : at + 1] = random.choice([b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\1", b"\0", b"\x80"])
            case 2:
                del target[at : at + random.randrange(1, 20)]
            case _:
                target[at:at] = target[at : at + random.randrange(1, 20)]
    return bytes(body + footer) + struct.pack("<I", len(footer)) + b"PAR1"


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_parquet_file_with_damaged_bytes_is_never_a_server_error(
    client: Client, database: str, compression: str
) -> None:
    days = {name: days_from_numbers(*range(19_723, 19_723 + DAYS)) for name in ("date_from", "date_to")}
    texts = {"origin": "CNSGH", "destination": "NLRTM", "currency": "USD"}
    columns = {name: pa.array([text] * DAYS).dictionary_encode() for name, text in texts.items()}
    prices = {"price": pa.array([float(number) for number in range(DAYS)])}
    sound = arrow_parquet({**columns, **days, **prices}, compression=compression, use_dictionary=list(texts))
    generator = random.Random(f"damaged Parquet {compression}")  # noqa: S311
    for number in range(DAMAGED):
        data = damage(sound, generator)
        options = form(data, f"{number}.parquet", dryRun=True) if number % 2 else form(data, f"{number}.parquet")
        response = client.http.post("/graphql", **options)
        assert response.status_code == 200, (number, response.text)
        answer = response.json()
        assert "errors" not in answer, (number, answer)
        payload = answer["data"]["uploadPriceFile"]
        status = (payload["preview"] or payload["batch"])["status"]
        assert status == ("REJECTED" if payload["userErrors"] else "APPLIED"), (number, payload)
        if payload["batch"] is not None:
            assert attempts(database, payload["batch"]) == (1, None), number
