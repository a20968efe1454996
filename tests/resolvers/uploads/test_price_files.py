"""Price files over real HTTP: every format, recognised replays, bounded memory."""

import gzip
import io
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import httpx
import polars as pl
import psycopg
import pytest

from resolvers.uploads.price_files import PART_BYTES
from server.http.multipart import OperationMultiPartParser
from tests.support.batches.price_files import APPLIED, CSV, MIB, MUTATION, form, many_lines, send
from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.batches.workbooks import Rows, workbook, zipped
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.multipart import MAP, encode, post
from tests.support.http.server_process import serving
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A server over two ports without prices, and a worker."""
    create_locations(database_url)
    with running_worker(database_url), running_server(database_url) as client:
        yield client


def parquet(data: bytes) -> bytes:
    """Return a CSV file as Parquet."""
    buffer = io.BytesIO()
    pl.read_csv(io.BytesIO(data), try_parse_dates=True).write_parquet(buffer)
    return buffer.getvalue()


def ndjson(data: bytes) -> bytes:
    """Return a CSV file as NDJSON."""
    return pl.read_csv(io.BytesIO(data)).write_ndjson().encode()


@pytest.fixture
def idle_client(database_url: str) -> Iterator[Client]:
    """A server over two ports, without a worker."""
    create_locations(database_url)
    with running_server(database_url) as client:
        yield client


SHEET: Rows = [
    ("origin_code", "destination_code", "day", "price"),
    *(("CNSGH", "NLRTM", date(2024, 1, 1), price) for price in (10, 20, 60)),
]
EVERY_FORMAT = pytest.mark.parametrize(
    ("data", "name"),
    [
        (CSV, "prices.csv"),
        (gzip.compress(CSV, mtime=0), "Prices.CSV.GZ"),
        (ndjson(CSV), "prices.ndjson"),
        (gzip.compress(ndjson(CSV), mtime=0), "prices.jsonl.gz"),
        (parquet(CSV), "prices.parquet"),
        (workbook(SHEET), "prices.xlsx"),
        (gzip.compress(CSV, mtime=0), "prices.csv"),
        (ndjson(CSV), "prices.csv.gz"),
        (workbook(SHEET), "prices.csv"),
        (CSV, "prices.xls"),
        (CSV.decode().encode("utf-16"), "prices"),
    ],
)


@EVERY_FORMAT
def test_file_upload_applies_every_format(client: Client, data: bytes, name: str) -> None:
    payload = send(client, data, name)
    assert payload["userErrors"] == payload["warnings"] == []
    assert payload["batch"] | {"id": "", "status": "APPLIED", "source": name, "itemCount": 3} == {
        **payload["batch"],
        "id": "",
    }
    assert client.ask(AVERAGES)["averagePrices"] == APPLIED


@EVERY_FORMAT
@pytest.mark.parametrize("spooled", [False, True])
def test_file_upload_dry_run_previews_every_format(
    idle_client: Client, monkeypatch: pytest.MonkeyPatch, data: bytes, name: str, *, spooled: bool
) -> None:
    if spooled:
        monkeypatch.setattr(OperationMultiPartParser, "spool_max_size", 1)
    payload = send(idle_client, data, name, dryRun=True)
    assert (payload["batch"], payload["userErrors"]) == (None, [])
    assert payload["preview"] == {"status": "APPLIED", "acceptedCount": 3, "newAverageCount": 1}
    assert idle_client.ask("{ batches { totalCount } }") == {"batches": {"totalCount": 0}}


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"PAR1" + CSV, "BROKEN_FILE"), (b"%PDF-1.7", "UNKNOWN_FORMAT"), (zipped({"a.csv": CSV}), "UNKNOWN_FORMAT")],
)
def test_file_upload_dry_run_reports_a_broken_file_or_unknown_format(
    idle_client: Client, data: bytes, code: str
) -> None:
    assert [error["code"] for error in send(idle_client, data, dryRun=True)["userErrors"]] == [code]


def test_file_upload_format_option_yields_to_the_content(client: Client) -> None:
    for file_format in ("CSV_GZIP", "PARQUET", "XLSX", "NDJSON"):
        assert send(client, CSV, "export 7", format=file_format)["batch"]["status"] == "APPLIED"


def test_file_upload_in_a_zip_archive_is_rejected_with_advice(client: Client) -> None:
    payload = send(client, zipped({"prices.csv": CSV}), "prices.xlsx")
    assert payload["batch"]["status"] == "REJECTED"
    assert [error["code"] for error in payload["userErrors"]] == ["UNKNOWN_FORMAT"]


def test_file_upload_needs_no_file_name(client: Client) -> None:
    def send_unnamed(content: bytes, **options: object) -> Json:
        variables = {"file": None, "input": {"waitMs": 30_000, **options}}
        text = {"query": MUTATION, "variables": variables}
        body = encode(("operations", None, json.dumps(text).encode()), MAP, ("0", None, content))
        answer: Json = post(client, body).json()["data"]["uploadPriceFile"]
        return answer

    batch = send_unnamed(CSV, format="CSV")["batch"]
    assert (batch["status"], batch["source"]) == ("APPLIED", "uploadPriceFile")
    assert send_unnamed(gzip.compress(CSV, mtime=0))["batch"]["status"] == "APPLIED"
    rejected = send_unnamed(b"%PDF-1.7")
    assert rejected["batch"] is None
    (error,) = rejected["userErrors"]
    assert (error["field"], error["code"], error["value"]) == ("file", "UNKNOWN_FORMAT", None)
    # Longer than a text field may be.
    assert send_unnamed(many_lines(2 * MIB), format="CSV")["batch"]["status"] == "APPLIED"


@pytest.mark.parametrize(
    ("data", "name", "options", "code", "field"),
    [
        (b"%PDF-1.7", "prices.csv", {}, "UNKNOWN_FORMAT", "file"),
        (b"<!doctype html>", "prices.csv", {"format": "CSV"}, "UNKNOWN_FORMAT", "file"),
        (b"", "prices.csv", {}, "EMPTY_BATCH", "file"),
        (CSV, "prices.csv", {"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", "idempotencyKey"),
        (CSV, "prices.csv", {"idempotencyKey": "a\x00b"}, "INVALID_IDEMPOTENCY_KEY", "idempotencyKey"),
    ],
)
def test_file_upload_of_unknown_format_no_data_or_invalid_key_creates_no_batch(
    idle_client: Client, data: bytes, name: str, options: Json, code: str, field: str
) -> None:
    payload = send(idle_client, data, name, **options)
    assert payload["batch"] is None
    assert [(error["code"], error["field"], error["item"]) for error in payload["userErrors"]] == [(code, field, None)]
    assert idle_client.ask("{ batches { totalCount } }")["batches"]["totalCount"] == 0


def test_file_upload_wait_above_the_limit_is_rejected_as_a_graphql_error(idle_client: Client) -> None:
    answer = idle_client.http.post("/graphql", **form(CSV, "prices.csv", waitMs=30_001)).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_WAIT"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("../../etc/prices.csv", "prices.csv"),
        ("C:\\prices\\Mai 2024.csv", "Mai 2024.csv"),
        ("Überseepreise 上海.csv", "Überseepreise 上海.csv"),
        ("a\u202eb\u200b.csv ", "ab.csv"),
        ("long " + "x" * 300 + ".csv", "x" * 196 + ".csv"),
    ],
)
def test_file_upload_source_is_the_sanitized_base_name_of_the_file(idle_client: Client, name: str, source: str) -> None:
    assert send(idle_client, CSV, name, waitMs=0)["batch"]["source"] == source


def test_file_upload_with_an_invalid_item_is_rejected_or_skips_it(client: Client) -> None:
    data = CSV + b"CNSGH,XXXXX,2024-01-01,5\n"
    rejected = send(client, data)
    assert (rejected["batch"]["status"], rejected["batch"]["acceptedCount"]) == ("REJECTED", 0)
    assert [(error["item"], error["code"], error["value"]) for error in rejected["userErrors"]] == [
        (4, "UNKNOWN_PORT", "XXXXX")
    ]
    skipped = send(client, data, onError="SKIP_INVALID")
    assert (skipped["batch"]["status"], skipped["batch"]["acceptedCount"]) == ("APPLIED", 3)
    assert client.ask(AVERAGES)["averagePrices"] == APPLIED


def test_file_upload_with_same_idempotency_key_and_content_returns_the_first_batch(client: Client) -> None:
    first = send(client, CSV, "monday.csv", idempotencyKey="monday")
    second = send(client, CSV, "monday again.csv", idempotencyKey="monday")
    assert (first["replayed"], second["replayed"]) == (False, True)
    assert second["batch"] == first["batch"]
    assert client.ask(AVERAGES)["averagePrices"] == APPLIED


@pytest.mark.parametrize(
    ("data", "options"),
    [(CSV + b"\n", {}), (CSV, {"onError": "SKIP_INVALID"}), (gzip.compress(CSV, mtime=0), {})],
)
def test_file_upload_idempotency_key_for_other_content_or_options_is_rejected(
    idle_client: Client, data: bytes, options: Json
) -> None:
    send(idle_client, CSV, idempotencyKey="monday", waitMs=0)
    payload = send(idle_client, data, idempotencyKey="monday", **options)
    assert payload["batch"] is None
    assert [error["code"] for error in payload["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]


def test_file_upload_cannot_reuse_the_idempotency_key_of_an_item_upload(idle_client: Client) -> None:
    idle_client.ask(UPLOAD, input={"prices": [VALID_ITEM], "idempotencyKey": "monday", "waitMs": 0})
    payload = send(idle_client, CSV, idempotencyKey="monday", waitMs=0)
    assert [error["code"] for error in payload["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]


def test_file_upload_idempotency_key_creates_one_batch_for_concurrent_uploads(client: Client) -> None:
    with ThreadPoolExecutor(max_workers=50) as threads:
        sent = [threads.submit(send, client, CSV, idempotencyKey="all at once") for _ in range(50)]
        payloads = [future.result() for future in sent]
    assert len({payload["batch"]["id"] for payload in payloads}) == 1
    assert [payload["replayed"] for payload in payloads].count(False) == 1
    assert client.ask(AVERAGES)["averagePrices"] == APPLIED


def test_batch_query_by_idempotency_key_returns_the_batch_or_null(idle_client: Client) -> None:
    query = "query ($key: String!) { batchByKey(idempotencyKey: $key) { id } }"
    batch_id = send(idle_client, CSV, idempotencyKey="monday", waitMs=0)["batch"]["id"]
    assert idle_client.ask(query, key="monday")["batchByKey"] == {"id": batch_id}
    for unknown in ("tuesday", "", "a\x00b", "k" * 201):
        assert idle_client.ask(query, key=unknown)["batchByKey"] is None


def test_file_upload_is_stored_in_parts_and_read_completely(client: Client, database_url: str) -> None:
    data = many_lines(2 * PART_BYTES)
    payload = send(client, data)
    assert (payload["batch"]["status"], payload["batch"]["itemCount"]) == ("APPLIED", data.count(b"\n") - 1)
    with psycopg.connect(database_url) as connection:
        parts = connection.execute("SELECT data FROM batch_payloads ORDER BY part").fetchall()
    assert [len(part) for (part,) in parts[:-1]] == [PART_BYTES] * (len(parts) - 1)
    assert len(parts) >= 2
    assert b"".join(part for (part,) in parts) == data


def test_file_upload_of_64_mib_limits_memory_growth_and_request_latency(database_url: str, tmp_path: Path) -> None:
    create_locations(database_url)
    size = 64 * MIB
    (tmp_path / "large.csv").write_bytes(many_lines(MIB) * (size // MIB))
    token = create_api_token(database_url, "upload")
    with serving(database_url) as (process, url):
        httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).raise_for_status()
        # The peak so far is that of the start, when the exchange rates were loaded: reset it.
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        idle = resident_peak(process)
        longest, stop = [0.0], threading.Event()

        def watch() -> None:
            with httpx.Client(timeout=DEADLINE_SECONDS) as http:
                while not stop.is_set():
                    started = time.monotonic()
                    http.get(f"{url}/livez").raise_for_status()
                    longest[0] = max(longest[0], time.monotonic() - started)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with (tmp_path / "large.csv").open("rb") as file:
                arguments = form(b"", "large.csv", waitMs=0) | {"files": {"0": ("large.csv", file)}}
                arguments["headers"] |= authorization_header(token)
                answer = httpx.post(f"{url}/graphql", **arguments, timeout=DEADLINE_SECONDS).json()
        finally:
            stop.set()
            watcher.join()
        assert answer["data"]["uploadPriceFile"]["batch"]["status"] == "QUEUED"
        grown = resident_peak(process) - idle
    assert grown < size / 2, f"{grown / MIB:.0f} MiB more"
    # A few hundredths of a second on an idle machine.
    assert longest[0] < 3, longest


def resident_peak(process: subprocess.Popen[str]) -> int:
    """Return the peak memory of the process in bytes."""
    (line,) = [
        line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024
