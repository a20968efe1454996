"""`ratesgraph rates refresh` against a rate source on loopback."""

import asyncio
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import psycopg
import pytest

from db.pool import INGEST, connect
from ingest.exchange_rates.ecb import store_rates
from ingest.exchange_rates.refresh import CHECK_URL, RATES
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph
from tests.support.rate_sources import RateSource, ecb_zip, rate_source, table_of

KEY = "0123456789abcdef0123456789abcdef"
CSV = "Date,USD,JPY,\n2026-03-05,1.25,160,\n2026-03-04,1.2,150,\n"


@pytest.fixture
def source() -> Iterator[RateSource]:
    """Yield a rate source for one test."""
    with rate_source() as source:
        yield source


def stored_rates(database_url: str) -> list[tuple[str, date, Decimal]]:
    """Return every stored rate, by currency and day."""
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT currency, day, usd_per_unit FROM exchange_rates ORDER BY 1, 2").fetchall()


def store_euro(database_url: str, day: date) -> None:
    """Store a rate of the euro."""

    async def store() -> None:
        async with connect(database_url, INGEST) as connection:
            await store_rates(connection, pl.DataFrame([("EUR", day, Decimal("1.1"))], schema=RATES, orient="row"))

    asyncio.run(store())


def refresh(
    database_url: str,
    source: str,
    exit_code: int = 0,
    key: str | None = None,
    run: Callable[..., subprocess.CompletedProcess[str]] = ratesgraph_in_process,
) -> str:
    """Run the command with both sources at the URL; return its single line without the key."""
    settings = {
        "RATESGRAPH_ECB_RATES_URL": f"{source}/eurofxref-hist.zip",
        "RATESGRAPH_OPENEXCHANGERATES_URL": f"{source}/api",
        "NO_PROXY": "127.0.0.1",
    }
    if key is not None:
        settings["RATESGRAPH_OPENEXCHANGERATES_APP_ID"] = key
    done = run(database_url, "rates", "refresh", exit_code=exit_code, settings=settings)
    printed, nothing = (done.stdout, done.stderr) if exit_code == 0 else (done.stderr, done.stdout)
    assert nothing == ""
    assert KEY not in printed
    assert printed.count("\n") == 1
    return printed.strip()


def test_rates_refresh_stores_and_corrects_ecb_rates(database_url: str, source: RateSource) -> None:
    source.body = ecb_zip(CSV)
    said = refresh(database_url, source.url)
    assert said == (
        "Stored 4 new or corrected exchange rates of the European Central Bank; rates are known up to 2026-03-05."
    )
    assert stored_rates(database_url) == [
        ("EUR", date(2026, 3, 4), Decimal("1.2")),
        ("EUR", date(2026, 3, 5), Decimal("1.25")),
        ("JPY", date(2026, 3, 4), Decimal("0.008")),
        ("JPY", date(2026, 3, 5), Decimal("0.0078125")),
    ]
    unchanged = "Stored 0 new or corrected exchange rates of the European Central Bank"
    assert refresh(database_url, source.url, key=" ").startswith(unchanged)
    source.body = ecb_zip(CSV.replace("150", "120").replace("Date,USD,JPY,\n", "Date,USD,JPY,\n2026-03-06,1.5,N/A,\n"))
    assert refresh(database_url, source.url).startswith("Stored 2 new or corrected exchange rates")
    assert stored_rates(database_url)[2:4] == [
        ("EUR", date(2026, 3, 6), Decimal("1.5")),
        ("JPY", date(2026, 3, 4), Decimal("0.01")),
    ]
    assert source.requests == [("/eurofxref-hist.zip", None)] * 3


def test_rates_refresh_with_an_api_key_fetches_the_missing_days(database_url: str, source: RateSource) -> None:
    source.body = table_of({"USD": 1, "EUR": 0.8, "VND": 25_000})
    begin = datetime.now(UTC).date()
    store_euro(database_url, begin - timedelta(days=4))
    said = refresh(database_url, source.url, key=KEY)
    # Midnight may have passed since.
    yesterday = max(day for _, day, _ in stored_rates(database_url))
    assert yesterday in {begin - timedelta(days=1), begin}
    days = [begin - timedelta(days=3) + timedelta(days=number) for number in range((yesterday - begin).days + 4)]
    assert said == (
        f"Stored {2 * len(days)} new or corrected exchange rates of openexchangerates; rates are known up to {yesterday}."
    )
    assert source.requests == [(f"/api/historical/{day}.json", f"Token {KEY}") for day in days]
    assert stored_rates(database_url) == [
        ("EUR", begin - timedelta(days=4), Decimal("1.1")),
        *(("EUR", day, Decimal("1.25")) for day in days),
        *(("VND", day, Decimal("0.00004")) for day in days),
    ]


def test_rates_refresh_reports_remaining_days_and_fetches_them_on_rerun(database_url: str, source: RateSource) -> None:
    source.body = table_of({"EUR": 0.8})
    newest = datetime.now(UTC).date() - timedelta(days=50)
    store_euro(database_url, newest)
    said = refresh(database_url, source.url, key=KEY)
    assert f"up to {newest + timedelta(days=31)}; " in said
    assert said.endswith("days up to yesterday are missing, run this command again.")
    assert refresh(database_url, source.url, key=KEY).endswith(".")
    said = refresh(database_url, source.url, key=KEY)
    assert said.startswith("Exchange rates are up to date (")
    assert len(source.requests) == len(set(source.requests)) in {49, 50}


def test_rates_refresh_with_a_wrong_key_hides_the_key_and_changes_nothing(
    database_url: str, source: RateSource
) -> None:
    source.status, source.body = 401, f'{{"error": true, "app_id": "{KEY}"}}'.encode()
    store_euro(database_url, date(2026, 3, 5))
    before = stored_rates(database_url)
    said = refresh(database_url, source.url, exit_code=1, key=KEY)
    assert "401" in said
    assert "RATESGRAPH_OPENEXCHANGERATES_APP_ID" in said
    assert "characters" in refresh(database_url, source.url, exit_code=1, key=f"\N{DEGREE SIGN}{KEY}")
    assert stored_rates(database_url) == before


def test_rates_refresh_stores_nothing_if_one_day_fails(database_url: str, source: RateSource) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    store_euro(database_url, yesterday - timedelta(days=2))
    before = stored_rates(database_url)
    source.body = table_of({"EUR": 0.8})
    source.bodies = {f"/api/historical/{yesterday}.json": b"{}"}
    said = refresh(database_url, source.url, exit_code=1, key=KEY)
    assert said == f"RATES_UNREADABLE: the response for {yesterday} is not a rate table{CHECK_URL}"
    assert len(source.requests) >= 2
    assert stored_rates(database_url) == before


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b"", "HTTP status 404"),
        (200, b"<html>", "not a valid zip file"),
        (200, ecb_zip("Day;Dollar\n"), "must have the columns"),
    ],
)
def test_rates_refresh_reports_invalid_ecb_data_in_one_line_and_changes_nothing(
    database_url: str, source: RateSource, status: int, body: bytes, message: str
) -> None:
    store_euro(database_url, date(2026, 3, 5))
    before = stored_rates(database_url)
    source.status, source.body = status, body
    assert message in refresh(database_url, source.url, exit_code=1)
    assert stored_rates(database_url) == before


def test_rates_refresh_reports_an_unreachable_source_in_one_line(database_url: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for key in (None, KEY):
            said = refresh(database_url, nobody, exit_code=1, key=key)
            assert said.startswith("RATES_UNREACHABLE: 127.0.0.1:")
            assert "try again" in said
    assert stored_rates(database_url) == []


def test_rates_refresh_checks_the_database_before_any_request(empty_database_url: str, source: RateSource) -> None:
    assert "ratesgraph migrate" in refresh(empty_database_url, source.url, exit_code=1, run=ratesgraph)
    assert source.requests == []
