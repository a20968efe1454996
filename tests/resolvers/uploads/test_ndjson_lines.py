"""Bad lines of NDJSON files, over real HTTP and by command, are problems of their items."""

import csv
import gzip
import io
import json
from pathlib import Path

import psycopg
import pytest

from tests.support.batches.price_files import send
from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, Json
from tests.support.http.multipart import MAP, OPERATION, encode

LINE = {"origin": "CNSGH", "destination": "NLRTM", "date_from": "2026-05-01", "date_to": "2026-05-31", "price": 1450.5}
LINES = [
    json.dumps({**LINE, "currency": "EUR"}),
    json.dumps({**LINE, "Currency": "EUR"}),
    json.dumps({**LINE, "curr": "EUR"}),
    "",
    json.dumps(LINE).replace("date_to", "dateTo") + ",",
    json.dumps({**LINE, "price": float("nan")}),
    json.dumps(LINE)[:70],
]
FILE = "\n".join(LINES).encode()
PROBLEMS = [
    (3, None, "WRONG_COLUMNS", "curr"),
    (5, None, "INVALID_JSON", LINES[4]),
    (6, "price", "INVALID_PRICE", "NaN"),
    (7, None, "INVALID_JSON", LINES[6]),
]
STORED = """
SELECT item, currency, min(first_day)::text, max(last_day)::text FROM prices
WHERE batch_id = (SELECT max(id) FROM price_batches) GROUP BY item, currency ORDER BY item
"""


def problems_of(payload: Json) -> list[tuple[object, ...]]:
    """Return the problems without their messages."""
    return [tuple(error[name] for name in ("item", "field", "code", "value")) for error in payload["userErrors"]]


@pytest.mark.parametrize(("data", "name"), [(FILE, "a.ndjson"), (gzip.compress(FILE), "a.jsonl.gz")])
def test_ndjson_upload_skips_or_rejects_bad_lines_by_their_numbers(
    converting_client: Client, module_database_url: str, data: bytes, name: str
) -> None:
    rejected = send(converting_client, data, name)
    assert problems_of(rejected) == PROBLEMS
    batch = rejected["batch"]
    assert (batch["status"], batch["itemCount"], batch["rejectedCount"]) == ("REJECTED", 6, 4)
    skipped = send(converting_client, data, name, onError="SKIP_INVALID")
    assert problems_of(skipped) == PROBLEMS
    assert (skipped["batch"]["status"], skipped["batch"]["acceptedCount"]) == ("APPLIED", 2)
    with psycopg.connect(module_database_url) as connection:
        stored = connection.execute(STORED).fetchall()
        attempts = connection.execute("SELECT DISTINCT attempts FROM price_batches").fetchall()
    assert stored == [(item, "EUR", "2026-05-01", "2026-05-31") for item in (1, 2)]
    assert attempts == [(1,)]


def test_ndjson_dry_run_reports_bad_lines_by_their_numbers(converting_client: Client) -> None:
    for options, status, accepted in (({}, "REJECTED", 0), ({"onError": "SKIP_INVALID"}, "APPLIED", 2)):
        payload = send(converting_client, FILE, "a.ndjson", dryRun=True, **options)
        assert problems_of(payload) == PROBLEMS
        assert (payload["preview"]["status"], payload["preview"]["acceptedCount"]) == (status, accepted)


def test_ndjson_upload_in_chunks_has_the_same_problems(converting_client: Client) -> None:
    operations = json.dumps(OPERATION | {"variables": {"file": None, "input": {"waitMs": 30_000}}}).encode()
    body = encode(("operations", None, operations), MAP, ("0", "a.ndjson", FILE))
    response = converting_client.http.post(
        "/graphql",
        content=(body[start : start + 7] for start in range(0, len(body), 7)),
        headers={"Content-Type": "multipart/form-data; boundary=xyz", "GraphQL-Require-Preflight": "1"},
    )
    assert response.request.headers["transfer-encoding"] == "chunked"
    assert problems_of(response.json()["data"]["uploadPriceFile"]) == PROBLEMS


def test_ndjson_rejection_report_lists_bad_lines_with_their_values(converting_client: Client) -> None:
    batch = send(converting_client, FILE, "a.ndjson", onError="SKIP_INVALID")["batch"]
    url = converting_client.ask("query ($id: ID!) { batch(id: $id) { rejectionsUrl } }", id=batch["id"])["batch"][
        "rejectionsUrl"
    ]
    rows = list(csv.DictReader(io.StringIO(converting_client.http.get(url).text)))
    columns = ("item", "message", "origin", "price", "currency")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("3", 'line 3: unknown key "curr"; did you mean currency?', "CNSGH", "1450.5", ""),
        ("5", f"line 5: not a JSON object: extra data at column {len(LINES[4])}", "", "", ""),
        ("6", "not a decimal number such as 1234.56", "CNSGH", "NaN", ""),
        ("7", "line 7: not a JSON object: expecting property name enclosed in double quotes at column 71", "", "", ""),
    ]


def test_prices_load_lists_bad_lines_of_ndjson_by_their_numbers(database_url: str, tmp_path: Path) -> None:
    create_locations(database_url)
    file = tmp_path / "a.ndjson"
    file.write_text(f"{json.dumps(LINE)}\n[1]\n{json.dumps({**LINE, 'Price': 2})}\n")
    rejected = ratesgraph_in_process(database_url, "prices", "load", file, exit_code=1).stderr
    assert "line 2: not a JSON object" in rejected
    assert 'line 3: price is given more than once, as "price" and "Price"' in " ".join(rejected.split())
    assert "rejected, 2 of 3 items are invalid; no price changed (--on-error skip skips them)." in rejected
    assert "1 of 3 items" in ratesgraph_in_process(database_url, "prices", "load", file, "--on-error", "skip").stdout


@pytest.mark.parametrize(
    ("name", "accepted", "problems"),
    [
        ("bom.ndjson", 3, []),
        ("extra-key-later.ndjson", 2, [(2, "WRONG_COLUMNS")]),
        ("nd-currency-cased-later.ndjson", 3, []),
        ("nd-dateTo-camel-later.ndjson", 3, []),
        ("price-1e400.ndjson", 0, [(1, "INVALID_PRICE"), (2, "INVALID_PRICE"), (3, "INVALID_PRICE")]),
        ("trailing-comma-lines.ndjson", 0, [(1, "INVALID_JSON"), (2, "INVALID_JSON"), (3, "INVALID_JSON")]),
        ("truncated-last.ndjson", 2, [(3, "INVALID_JSON")]),
    ],
)
def test_ndjson_samples_have_their_problems_by_line(
    converting_client: Client,
    module_database_url: str,
    sample_files: Path,
    name: str,
    accepted: int,
    problems: list[tuple[int, str]],
) -> None:
    payload = send(converting_client, (sample_files / name).read_bytes(), name, onError="SKIP_INVALID")
    assert [(error["item"], error["code"]) for error in payload["userErrors"]] == problems
    assert payload["batch"]["acceptedCount"] == accepted
    with psycopg.connect(module_database_url) as connection:
        stored = {(currency, last) for _, currency, _, last in connection.execute(STORED)}
    currency = "EUR" if "currency" in name else "USD"
    assert stored == ({(currency, "2026-05-31" if "dateTo" in name else "2026-05-01")} if accepted else set())
