"""Dialects of CSV over real HTTP: read alike by uploads and dry runs, with a warning."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.batches.price_files import PREFLIGHT, form
from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.multipart import MAP, encode

MUTATION = """
mutation ($file: Upload!, $input: UploadPriceFileInput) {
  uploadPriceFile(file: $file, input: $input) {
    batch { status itemCount acceptedCount attempts rejections { edges { node { item severity code message } } } }
    userErrors { item field code message value }
    warnings { item field code message }
    preview { status acceptedCount }
  }
}
"""
HEADER = "origin,destination,date_from,date_to,price,currency\n"
LINE = "CNSGH,NLRTM,2024-01-01,2024-01-02,1450.50,USD\n"
SEMICOLONS = (HEADER + LINE * 2).replace(",", ";").replace("1450.50", "1450,50").encode()
SEMICOLONS_WARNING = {
    "item": None,
    "field": None,
    "code": "CSV_DIALECT",
    "message": "the fields are separated by semicolons, so a comma in a price is its decimal separator (1450,50 is 1450.50)",
}


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server over two ports, and a worker."""
    create_locations(module_database_url)
    with running_worker(module_database_url), running_server(module_database_url) as client:
        yield client


def payload_of(answer: httpx.Response) -> Json:
    """Return the payload of an upload without errors."""
    body = answer.json()
    assert (answer.status_code, body.get("errors")) == (200, None), body
    payload: Json = body["data"]["uploadPriceFile"]
    return payload


def send(client: Client, data: bytes, name: str = "prices.csv", **options: object) -> Json:
    """Upload the file and return the payload."""
    arguments = form(data, name, **options)
    operations = json.loads(arguments["data"]["operations"]) | {"query": MUTATION}
    arguments["data"]["operations"] = json.dumps(operations)
    return payload_of(client.http.post("/graphql", **arguments))


def test_file_upload_separated_by_semicolons_warns_about_its_dialect(client: Client) -> None:
    payload = send(client, SEMICOLONS)
    assert (payload["userErrors"], payload["warnings"]) == ([], [SEMICOLONS_WARNING])
    [edge] = payload["batch"].pop("rejections")["edges"]
    stored = {"item": None, "severity": "WARNING", "code": "CSV_DIALECT", "message": SEMICOLONS_WARNING["message"]}
    assert edge["node"] == stored
    assert payload["batch"] == {"status": "APPLIED", "itemCount": 2, "acceptedCount": 2, "attempts": 1}


def test_file_upload_reads_a_dialect_compressed_in_chunks_and_as_a_dry_run(client: Client) -> None:
    compressed = send(client, gzip.compress(SEMICOLONS, mtime=0), "prices.csv.gz")
    assert (compressed["batch"]["status"], compressed["warnings"]) == ("APPLIED", [SEMICOLONS_WARNING])
    tried = send(client, SEMICOLONS, dryRun=True)
    assert (tried["preview"], tried["warnings"]) == ({"status": "APPLIED", "acceptedCount": 2}, [SEMICOLONS_WARNING])
    operations = {"query": MUTATION, "variables": {"file": None, "input": {"waitMs": 30_000}}}
    body = encode(("operations", None, json.dumps(operations).encode()), MAP, ("0", "prices.csv", SEMICOLONS))
    headers = {"Content-Type": "multipart/form-data; boundary=xyz", **PREFLIGHT}
    # httpx sends an iterator in chunks.
    chunks = (body[start : start + 100] for start in range(0, len(body), 100))
    chunked = payload_of(client.http.post("/graphql", content=chunks, headers=headers))
    assert (chunked["batch"]["status"], chunked["warnings"]) == ("APPLIED", [SEMICOLONS_WARNING])


@pytest.mark.parametrize("dry_run", [False, True])
def test_file_upload_reports_short_rows_and_ambiguous_prices_next_to_other_problems(
    client: Client, *, dry_run: bool
) -> None:
    lines = [
        LINE,
        LINE.replace("NLRTM", "NLRTN"),
        "CNSGH,NLRTM\n",
        LINE.replace("1450.50", "1.450"),
        LINE.replace("USD", "RMB"),
    ]
    data = (HEADER + "".join(lines)).replace(",", ";").encode()
    payload = send(client, data, onError="SKIP_INVALID", dryRun=dry_run)
    assert payload["warnings"] == [SEMICOLONS_WARNING]
    assert [(error["item"], error["code"], error["message"]) for error in payload["userErrors"]] == [
        (2, "UNKNOWN_PORT", "NLRTN is not a known port; did you mean NLRTM?"),
        (3, "MISSING_VALUE", "line 4 has 2 fields, the header has 6"),
        (4, "INVALID_PRICE", "ambiguous in a file separated by semicolons; write 1450 or 1.4500"),
        (5, "UNKNOWN_CURRENCY", "no exchange rates for currency RMB"),
    ]
    result = payload["preview"] if dry_run else payload["batch"]
    assert (result["status"], result["acceptedCount"]) == ("APPLIED", 1)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("semicolon.csv", {"CSV_DIALECT"}),
        ("sep-line.csv", set()),
        ("leading-blank-lines.csv", set()),
        ("header-newline-quoted.csv", set()),
        ("trailing-empty-column.csv", set()),
        ("cr-only-mac.csv", set()),
        ("locode-space.csv", set()),
        ("currency-rmb.csv", {"UNKNOWN_CURRENCY"}),
    ],
)
def test_file_upload_of_samples_ends_in_one_attempt(
    client: Client, sample_files: Path, name: str, codes: set[str]
) -> None:
    payload = send(client, (sample_files / name).read_bytes(), name)
    assert {problem["code"] for problem in payload["userErrors"] + payload["warnings"]} == codes
    status = "REJECTED" if payload["userErrors"] else "APPLIED"
    assert (payload["batch"]["status"], payload["batch"]["attempts"]) == (status, 1)
