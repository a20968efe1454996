"""Embedded server with any locale and time zone, and with variables for other servers."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from db.embedded.supervisor import embedded_server
from db.migrate import migrate
from tests.support.commands.processes import ratesgraph
from tests.support.databases.embedded import answers, postmaster_of
from tests.support.databases.memory import temporary_folder
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS

LOCALES = {
    "missing": {"LANG": "xx_YY.UTF-8", "LC_TIME": "xx_YY", "LC_MESSAGES": "tr_TR.UTF-8"},
    "missing for all": {"LC_ALL": "de_DE.ISO-8859-1", "LANGUAGE": "de:en"},
    "of macOS over ssh": {"LC_CTYPE": "UTF-8"},
    "C": {"LC_ALL": "C"},
}
TIME_ZONES = ["Nowhere/City", ":::", "AAA-99:99", ""]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
"""Environment in which Python reads and writes ASCII unless told otherwise."""
LIBPQ = {
    "PGAPPNAME": "other",
    "PGCHANNELBINDING": "require",
    "PGCLIENTENCODING": "LATIN1",
    "PGCONNECT_TIMEOUT": "soon",
    "PGDATA": "/nonexistent",
    "PGDATABASE": "other",
    "PGDATESTYLE": "German",
    "PGGSSENCMODE": "require",
    "PGHOST": "/nonexistent",
    "PGHOSTADDR": "192.0.2.1",
    "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on",
    "PGPASSFILE": "/nonexistent",
    "PGPASSWORD": "secret",
    "PGPORT": "1",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "somebody",
    "PGREQUIRESSL": "1",
    "PGSERVICE": "nowhere",
    "PGSERVICEFILE": "/nonexistent",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Nowhere/City",
    "PGUSER": "nobody",
    "PG_COLOR": "always",
}
"""Each prevents a connection, or changes its results."""
UPLOAD = """mutation {
  uploadPrices(input: {prices: [{dateFrom: "2030-01-01", origin: "CNSGH", destination: "NLRTM", price: 7}]}) {
    batch { status }
  }
}"""
QUERY = """{
  averagePrices(dateFrom: "2030-01-01", dateTo: "2030-01-01", origin: "sea", destination: "NLRTM") { averagePrice }
}"""
PRICES = "origin_code,destination_code,day,price\nCNSGH,NLRTM,2030-01-01,7\nCNSGH,NLRTM,2030-01-01,10\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield an empty folder."""
    with temporary_folder() as folder:
        yield folder


@pytest.mark.parametrize("variables", LOCALES.values(), ids=LOCALES)
def test_embedded_server_collates_by_code_point_in_any_locale(
    folder: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with embedded_server(folder) as url, psycopg.connect(url) as connection:
        database = (
            "SELECT datlocprovider::text, datlocale, datcollate, datctype FROM pg_database WHERE datname = 'postgres'"
        )
        assert connection.execute(database).fetchone() == ("b", "C.UTF-8", "C", "C")
        ordered = connection.execute(
            "SELECT * FROM unnest(ARRAY['ä', 'b', 'a b', 'ab', 'B', 'a_b']) AS name ORDER BY name"
        )
        assert [name for (name,) in ordered] == ["B", "a b", "a_b", "ab", "b", "ä"]
        assert connection.execute("SELECT lower('ÄÉŞ')").fetchone() == ("äéş",)


@pytest.mark.parametrize("time_zone", TIME_ZONES)
def test_embedded_server_runs_in_utc_in_any_time_zone(
    folder: Path, time_zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", time_zone)
    with embedded_server(folder) as url, psycopg.connect(url) as connection:
        for name in ("timezone", "log_timezone"):
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == ("UTC",)


def test_embedded_server_starts_with_data_from_a_machine_with_other_locales(folder: Path) -> None:
    with embedded_server(folder):
        pass
    file = folder / "postgresql" / "postgresql.conf"
    pattern = r"(?m)^(lc_messages|lc_monetary|lc_numeric|lc_time|timezone|log_timezone) = .*"
    settings, count = re.subn(pattern, r"\1 = 'xx_YY.UTF-8'", file.read_text())
    assert count == 6
    file.write_text(settings)
    with embedded_server(folder) as url:
        assert answers(url)


def test_collation_that_this_machine_lacks_is_reported_in_one_sentence(folder: Path) -> None:
    with embedded_server(folder) as url, psycopg.connect(url, dbname="template1") as connection:
        connection.execute("UPDATE pg_database SET datcollate = 'xx_YY.UTF-8' WHERE datname = 'postgres'")
    done = ratesgraph(None, "queue", "--data-dir", folder, exit_code=1)
    assert f"The database postgres at {folder}/postgresql, port 5432 cannot be reached" in done.stderr
    assert "database locale is incompatible with operating system" in done.stderr


def test_commands_store_and_print_any_name_in_an_ascii_locale(folder: Path) -> None:
    options = ["--data-dir", str(folder / "Größe")]
    (folder / "Prices größe.csv").write_text(PRICES)
    (folder / "regions.csv").write_text("slug,name,parent_slug\nsea,Größe 船,\n", encoding="utf-8")
    (folder / "ports.csv").write_text("code,name,parent_slug\nCNSGH,上海,sea\nNLRTM,Rotterdam,sea\n", encoding="utf-8")
    ratesgraph(None, "migrate", *options, settings=ASCII)
    files = ["--regions", str(folder / "regions.csv"), "--ports", str(folder / "ports.csv")]
    ratesgraph(None, "locations", "load", *files, *options, settings=ASCII)
    assert "applied" in ratesgraph(None, "prices", "load", folder / "Prices größe.csv", *options, settings=ASCII).stdout
    assert "Prices größe.csv" in ratesgraph(None, "audit", *options, settings=ASCII).stdout
    with embedded_server(folder / "Größe") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT name FROM locations ORDER BY id").fetchall() == [
            ("Größe 船",),
            ("上海",),
            ("Rotterdam",),
        ]
        comments = connection.execute("SELECT description FROM pg_description WHERE description LIKE 'amount%'")
        assert comments.fetchone() == ("amount × rate in US cents, half away from zero",)
    schema = ratesgraph(None, "schema", settings=ASCII).stdout
    assert schema == ratesgraph(None, "schema").stdout
    assert not schema.isascii()


def test_embedded_server_ignores_variables_of_other_servers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LIBPQ.items():
        monkeypatch.setenv(name, value)
    with embedded_server(folder) as url:
        migrate(url)
        with psycopg.connect(url) as connection:
            for name, value in {"DateStyle": "ISO, MDY", "TimeZone": "UTC", "client_encoding": "UTF8"}.items():
                assert connection.execute(f"SHOW {name}".encode()).fetchone() == (value,)
        passed = postmaster_of(folder).environ()
        assert {name for name in passed if name.startswith(("PG", "LANG"))} == set()
        assert (passed["LC_ALL"], passed["TZ"]) == ("C", "UTC")
    assert {name: os.environ.get(name) for name in LIBPQ} == LIBPQ


@pytest.mark.parametrize("workers", ["1", "2"])
def test_commands_ignore_variables_of_other_servers_without_a_database_url(folder: Path, workers: str) -> None:
    options = ["--data-dir", str(folder / "data")]
    (folder / "prices.csv").write_text(PRICES)
    (folder / "regions.csv").write_text("slug,name,parent_slug\nsea,Sea,\n")
    (folder / "ports.csv").write_text("code,name,parent_slug\nCNSGH,Shanghai,sea\nNLRTM,Rotterdam,sea\n")
    files = ["--regions", str(folder / "regions.csv"), "--ports", str(folder / "ports.csv")]
    with serving(None, *options, "--no-demo", "--workers", workers, settings=LIBPQ) as (process, url):
        assert wait_until_answered(url).text == "ready\n"
        for child in psutil.Process(process.pid).children(recursive=True):
            assert not [name for name in child.environ() if name.startswith("PG")]
        ratesgraph(None, "locations", "load", *files, *options, settings=LIBPQ)
        uploaded = httpx.post(f"{url}/graphql", json={"query": UPLOAD}, timeout=DEADLINE_SECONDS).json()
        assert uploaded == {"data": {"uploadPrices": {"batch": {"status": "APPLIED"}}}}
        ratesgraph(None, "prices", "load", folder / "prices.csv", *options, settings=LIBPQ)
        averages = httpx.post(f"{url}/graphql", json={"query": QUERY}, timeout=DEADLINE_SECONDS).json()
        assert averages == {"data": {"averagePrices": [{"averagePrice": 8.0}]}}
        assert "All averages verified" in ratesgraph(None, "verify", *options, settings=LIBPQ).stdout


def test_variables_of_libpq_complete_a_database_url(database_url: str) -> None:
    parameters = conninfo_to_dict(database_url)
    settings = {
        "PGHOST": str(parameters["host"]),
        "PGUSER": str(parameters["user"]),
        "PGDATABASE": str(parameters["dbname"]),
    }
    assert "0 batches queued" in ratesgraph("postgresql://", "queue", settings=settings).stdout
