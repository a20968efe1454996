"""Exchange-rate sources: valid data, and one clear error for every other response."""

import asyncio
import socket
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prices import DateRange
from ingest.errors import RatesUnavailable
from ingest.exchange_rates import http
from ingest.exchange_rates.ecb import MAX_CSV_BYTES, read_ecb_history
from ingest.exchange_rates.refresh import (
    MAX_ARCHIVE_BYTES,
    MAX_DAYS,
    MAX_RESPONSE_BYTES,
    days_to_fetch,
    fetch_ecb_rates,
    fetch_openexchangerates,
    parse_day,
)
from tests.support.rate_sources import RateSource, Send, ecb_zip, rate_source, table_of, zip_of

DAY = date(2026, 3, 5)
KEY = "0123456789abcdef0123456789abcdef"
CSV = "Date,USD,JPY,ISK,\n2026-03-05,1.25,160,N/A,\n2026-03-04,1.2, 150 ,140,\n"


@pytest.fixture
def source() -> Iterator[RateSource]:
    """A local source of the test."""
    with rate_source() as source:
        yield source


def fetch_ecb(url: str) -> pl.DataFrame:
    """Return the rate history at the URL."""
    return asyncio.run(fetch_ecb_rates(url, DAY))


def fetch_days(url: str, key: str = KEY) -> pl.DataFrame:
    """Return the rates of two days."""
    return asyncio.run(fetch_openexchangerates(url, key, DateRange(DAY - timedelta(days=1), DAY)))


def refused(url: str) -> str:
    """Return the code and message with which both sources fail at the URL."""
    messages = []
    for fetch in (fetch_ecb, fetch_days):
        with pytest.raises(RatesUnavailable) as caught:
            fetch(url)
        messages.append(f"{caught.value.code}: {caught.value.message}")
        assert "\n" not in messages[-1]
        assert KEY not in messages[-1]
    assert messages[0] == messages[1]
    return messages[0]


def test_ecb_history_is_converted_to_dollars_per_unit() -> None:
    assert read_ecb_history(ecb_zip(CSV)).rows() == [
        ("EUR", date(2026, 3, 4), 1.2),
        ("EUR", date(2026, 3, 5), 1.25),
        ("ISK", date(2026, 3, 4), 0.008571428571),
        ("JPY", date(2026, 3, 4), 0.008),
        ("JPY", date(2026, 3, 5), 0.0078125),
    ]


def test_rate_source_rates_that_cannot_be_stored_are_omitted() -> None:
    csv = f"Date,USD,{','.join(['AAA', 'BBB', 'CCC', 'DDD', 'EEE', 'FFF', 'GGG'])}\n2026-03-05,1,0,-1,inf,nan,1e13,1e-7,2\n"
    assert read_ecb_history(ecb_zip(csv))["currency"].to_list() == ["EUR", "GGG"]
    units = {
        "AAA": "0",
        "BBB": "-1",
        "CCC": "1e999999",
        "DDD": "1e-9",
        "EEE": "2e12",
        "USD": "1",
        "LONG_1": "1",
        "eur": "1",
    }
    pairs = ",".join(f'"{currency}": {number}' for currency, number in {**units, "GGG": "2"}.items())
    assert parse_day(f'{{"base": "USD", "rates": {{{pairs}}}}}'.encode(), DAY) == {"GGG": Decimal("0.5")}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a valid zip"),
        (b"<html>Not today</html>", "not a valid zip"),
        (ecb_zip(CSV)[:-30], "not a valid zip"),
        (ecb_zip(CSV).replace(b"eurofxref", b"eurofxrex", 1), "not a valid zip"),
        (zip_of({}), "one CSV file"),
        (zip_of({"a.csv": b"", "b.csv": b""}), "one CSV file"),
        (zip_of({"a.csv": CSV.encode()}, zipfile.ZIP_LZMA), "one CSV file"),
        (ecb_zip(""), "cannot be parsed"),
        (ecb_zip("Date,USD\n2026-03-05,1,2,3\n"), "cannot be parsed"),
        (ecb_zip("Date,USD\n05.03.2026,1.1\n"), "cannot be parsed"),
        (zip_of({"a.csv": b"Date,USD\n2026-03-05,\xff\n"}), "cannot be parsed"),
        (ecb_zip("Day,USD\n2026-03-05,1.1\n"), "must have the columns"),
        (ecb_zip("Date,JPY\n2026-03-05,160\n"), "must have the columns"),
        (ecb_zip("Date,USD\n"), "no rates"),
        (ecb_zip("Date,USD,JPY\n2026-03-05,N/A,160\n"), "no rates"),
        (ecb_zip(CSV + "2026-03-05,1.3,160,N/A,\n"), "a day twice"),
        (zip_of({"a.csv": bytes(MAX_CSV_BYTES + 1)}), "decompressed size exceeds"),
    ],
)
def test_ecb_history_that_is_unreadable_is_rejected(data: bytes, words: str) -> None:
    with pytest.raises(RatesUnavailable, match=words) as caught:
        read_ecb_history(data)
    assert caught.value.code == "RATES_UNREADABLE"


def test_ecb_history_with_a_future_day_is_rejected(source: RateSource) -> None:
    source.body = ecb_zip(CSV)
    assert len(fetch_ecb(source.url)) == 5
    source.body = ecb_zip(CSV.replace("2026-03-05", "2026-03-06"))
    with pytest.raises(RatesUnavailable, match="2026-03-05"):
        fetch_ecb(source.url)


@given(
    units=st.one_of(
        st.decimals(min_value=Decimal("0.000001"), max_value=10**12, places=6),
        st.decimals(min_value=Decimal("0.000001"), max_value=10, places=25),
        st.sampled_from([Decimal("0.000001"), Decimal(10**12), Decimal(3), Decimal("1.6"), Decimal(2) * 10**11]),
    )
)
def test_openexchangerates_units_per_dollar_are_inverted_exactly(units: Decimal) -> None:
    with localcontext(prec=200):
        expected = (1 / units).quantize(Decimal("1e-12"), ROUND_HALF_UP)
    assert parse_day(f'{{"base": "USD", "rates": {{"EUR": {units:f}}}}}'.encode(), DAY) == {"EUR": expected}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b'{"base": "USD"}',
        b'{"base": "USD", "rates": []}',
        b'{"base": "USD", "rates": {"EUR": "much"}}',
        b'{"base": "USD", "rates": {"EUR": null}}',
        b'{"base": "USD", "rates": {"EUR": NaN}}',
        b'{"base": "USD", "rates": {"E\xff": 1}}',
        b'{"base": "USD", "rates": {"EUR": 0.9}',
        b'{"x": ' + b"[" * 100_000,
        table_of({"USD": 1.0}),
        table_of({}),
        table_of({"EUR": 1.0, "GBP": 0.9}, base="EUR"),
    ],
)
def test_openexchangerates_response_that_is_unreadable_is_rejected(answer: bytes) -> None:
    with pytest.raises(RatesUnavailable, match=str(DAY)) as caught:
        parse_day(answer, DAY)
    assert caught.value.code == "RATES_UNREADABLE"


def test_openexchangerates_days_are_requested_with_the_key_only_in_the_header(source: RateSource) -> None:
    source.bodies = {
        "/api/historical/2026-03-04.json": table_of({"USD": 1, "JPY": 160, "EUR": 0.8}),
        "/api/historical/2026-03-05.json": table_of({"USD": 1, "EUR": 0.9}),
    }
    assert fetch_days(f"{source.url}/api/", f" {KEY}\n").rows() == [
        ("EUR", date(2026, 3, 4), Decimal("1.25")),
        ("EUR", date(2026, 3, 5), Decimal("1.111111111111")),
        ("JPY", date(2026, 3, 4), Decimal("0.00625")),
    ]
    assert source.requests == [(path, f"Token {KEY}") for path in source.bodies]


@pytest.mark.parametrize("key", ["\N{DEGREE SIGN}hidden", "hid\nden", "hidden\x00"])
def test_openexchangerates_key_that_cannot_be_sent_is_rejected_and_not_shown(source: RateSource, key: str) -> None:
    with pytest.raises(RatesUnavailable) as caught:
        fetch_days(source.url, key)
    assert caught.value.code == "RATES_REFUSED"
    assert "hid" not in caught.value.message
    assert source.requests == []


def test_openexchangerates_missing_days_are_fetched_in_order_and_limited_ranges() -> None:
    today = date(2026, 3, 31)
    yesterday = date(2026, 3, 30)
    assert days_to_fetch(yesterday, today) is None
    assert days_to_fetch(today, today) is None
    assert days_to_fetch(date(2026, 3, 29), today) == DateRange(yesterday, yesterday)
    assert days_to_fetch(date(2026, 3, 1), today) == DateRange(date(2026, 3, 2), yesterday)
    assert days_to_fetch(None, today) == DateRange(date(2026, 2, 28), yesterday)
    newest: date | None = date(2025, 12, 31)
    asked: list[date] = []
    while days := days_to_fetch(newest, today):
        assert len(days) <= MAX_DAYS
        asked += days.days()
        newest = days.last
    assert asked == DateRange(date(2026, 1, 1), yesterday).days()


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503, 599])
def test_rate_source_error_status_is_reported_without_the_response_body(source: RateSource, status: int) -> None:
    source.status, source.body = status, b"" if status == 204 else f"wrong key {KEY}".encode()
    message = refused(source.url)
    assert message.startswith("RATES_REFUSED: 127.0.0.1:")
    assert f"HTTP status {status}" in message
    assert ("RATESGRAPH_OPENEXCHANGERATES_APP_ID" in message) is (status == 401)


def test_rate_source_unreachable_host_is_reported_without_secrets_of_the_url() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        message = refused(f"http://user:hidden@127.0.0.1:{port}/hidden?hidden")
    assert message.startswith(f"RATES_UNREACHABLE: 127.0.0.1:{port} cannot be reached (")
    assert "hidden" not in message


@pytest.mark.parametrize(
    "url", ["", "rates.zip", "ftp://127.0.0.1/hidden", "http://127.0.0.1:hidden", "http:///hidden"]
)
def test_rate_source_invalid_url_is_rejected_and_not_shown(url: str) -> None:
    message = refused(url)
    assert message.startswith("RATES_UNREACHABLE: the URL")
    assert "hidden" not in message


def test_rate_source_unusable_proxy_is_reported_without_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://user:hidden@127.0.0.1:1")
    message = refused("http://127.0.0.1:1")
    assert "ALL_PROXY" in message
    assert "hidden" not in message


@pytest.mark.parametrize("answer", [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
def test_rate_source_truncated_response_is_rejected(source: RateSource, answer: bytes) -> None:
    source.stream_body = lambda send: send(answer)
    assert refused(source.url).startswith("RATES_UNREACHABLE: 127.0.0.1:")


def test_rate_source_endless_body_is_rejected_at_the_size_limit(source: RateSource) -> None:
    sent = 0

    def pour(send: Send) -> None:
        nonlocal sent
        send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not source.ended.is_set():
            send(bytes(10_000))
            sent += 10_000

    source.stream_body = pour
    for fetch, limit in ((fetch_ecb, MAX_ARCHIVE_BYTES), (fetch_days, MAX_RESPONSE_BYTES)):
        with pytest.raises(RatesUnavailable, match=f"{limit:,} bytes") as caught:
            fetch(source.url)
        assert caught.value.code == "RATES_REFUSED"


def test_rate_source_compressed_response_is_not_decompressed(source: RateSource) -> None:
    source.stream_body = lambda send: send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + b"\x1f\x8b" * 10)
    with pytest.raises(RatesUnavailable, match="not a valid zip"):
        fetch_ecb(source.url)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"])
def test_rate_source_slow_response_is_rejected_at_the_deadline(
    source: RateSource, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    def trickle(send: Send) -> None:
        send(begin)
        while not source.ended.wait(0.01):
            send(b"x")

    source.stream_body = trickle
    monkeypatch.setattr(http, "MAX_SECONDS", 0.2)
    assert "does not answer in time" in refused(source.url)
