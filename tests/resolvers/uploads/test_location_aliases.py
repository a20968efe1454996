"""Aliases of ports in uploads of every kind: the port is stored, and named by a warning."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import psycopg
import pytest

from tests.support.batches.aliases import load_aliased_world
from tests.support.batches.price_files import PREFLIGHT
from tests.support.batches.workbooks import workbook
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, Json, running_server, running_worker

COLUMNS = ("origin", "destination", "date_from", "date_to", "price", "currency")
ITEMS = [
    ("CNSHA", "Anvers", "2024-02-01", "2024-02-01", "100", "USD"),
    ("cn sgh", "BEANR", "2024-02-01", "2024-02-01", "110", "USD"),
    ("cnsha", "antwerp", "2024-02-01", "2024-02-01", "120", "USD"),
    ("Shanghai", "ANVERS", "2024-02-01", "2024-02-01", "130", "USD"),
]
WARNINGS = [
    (1, "origin", "PORT_ALIAS", "CNSHA is stored as CNSGH, here and in the items below", "CNSHA"),
    (1, "destination", "PORT_ALIAS", "Anvers is stored as BEANR, here and in the items below", "Anvers"),
    (3, "destination", "PORT_ALIAS", "antwerp is stored as BEANR, here and in the items below", "antwerp"),
    (4, "origin", "PORT_ALIAS", "Shanghai is stored as CNSGH, here and in the items below", "Shanghai"),
]
BATCH = """
batch { number status acceptedCount lanes(first: 10) { edges { node { origin { code } destination { code } } } }
        rejections(first: 10) { edges { node { item field code severity message value } } } }
userErrors { item field code message value } warnings { item field code message value }
preview { status acceptedCount lanes { origin { code } destination { code } } }
"""
UPLOAD = f"mutation ($input: UploadPricesInput!) {{ payload: uploadPrices(input: $input) {{ {BATCH} }} }}"
UPLOAD_FILE = (
    "mutation ($file: Upload!, $input: UploadPriceFileInput)"
    f" {{ payload: uploadPriceFile(file: $file, input: $input) {{ {BATCH} }} }}"
)


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server over the world with aliases, with a worker."""
    load_aliased_world(module_database_url)
    with running_worker(module_database_url), running_server(module_database_url) as client:
        yield client


def to_csv(items: Sequence[Sequence[str]]) -> bytes:
    """Return the items as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *items])
    return text.getvalue().encode()


def frame(items: Sequence[Sequence[str]]) -> pl.DataFrame:
    """Return the items as a frame of text."""
    return pl.DataFrame(items, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def to_parquet(items: Sequence[Sequence[str]]) -> bytes:
    """Return the items as Parquet."""
    file = io.BytesIO()
    frame(items).write_parquet(file)
    return file.getvalue()


FILES: dict[str, Callable[[Sequence[Sequence[str]]], bytes]] = {
    "prices.csv": to_csv,
    "prices.csv.gz": lambda items: gzip.compress(to_csv(items), mtime=0),
    "prices.ndjson": lambda items: frame(items).write_ndjson().encode(),
    "prices.parquet": to_parquet,
    "prices.xlsx": lambda items: workbook([COLUMNS, *items]),
}
"""Encoder of a file by its name."""


def to_input(items: Sequence[Sequence[str]]) -> list[Json]:
    """Return the items as GraphQL input."""
    names = ("origin", "destination", "dateFrom", "dateTo", "price", "currency")
    return [dict(zip(names, item, strict=True)) for item in items]


def rows(problems: Sequence[Json]) -> list[tuple[object, ...]]:
    """Return the problems as tuples."""
    return [tuple(problem[name] for name in ("item", "field", "code", "message", "value")) for problem in problems]


def lanes(connection: Json) -> list[tuple[str, str]]:
    """Return the codes of the lanes of a batch."""
    nodes = (edge["node"] for edge in connection["edges"])
    return [(node["origin"]["code"], node["destination"]["code"]) for node in nodes]


def upload(client: Client, way: str, items: Sequence[Sequence[str]], **options: object) -> Json:
    """Upload the items as GraphQL input or as a file, and return the payload."""
    if way == "input":
        options = {"prices": to_input(items), "waitMs": 30_000, **options}
        payload: Json = client.ask(UPLOAD, input=options)["payload"]
        return payload
    variables = {"file": None, "input": {"waitMs": 30_000, **options}}
    parts = {
        "operations": json.dumps({"query": UPLOAD_FILE, "variables": variables}),
        "map": json.dumps({"0": ["variables.file"]}),
    }
    files = {"0": (way, FILES[way](items))}
    answer = client.http.post("/graphql", data=parts, files=files, headers=PREFLIGHT).json()
    assert "errors" not in answer, answer
    applied: Json = answer["data"]["payload"]
    return applied


each_way = pytest.mark.parametrize("way", ["input", *FILES])


@each_way
def test_upload_with_aliases_stores_the_ports_and_warns_once_per_alias(client: Client, way: str) -> None:
    payload = upload(client, way, ITEMS)
    batch = payload["batch"]
    assert (batch["status"], batch["acceptedCount"], payload["userErrors"]) == ("APPLIED", 4, [])
    assert rows(payload["warnings"]) == WARNINGS
    stored = [edge["node"] for edge in batch["rejections"]["edges"]]
    assert rows(stored) == WARNINGS
    assert {problem["severity"] for problem in stored} == {"WARNING"}
    assert lanes(batch["lanes"]) == [("CNSGH", "BEANR")]
    report = client.http.get(f"/batches/{batch['number']}/rejections.csv").text
    lines = [(line["item"], line["code"], line["origin"]) for line in csv.DictReader(io.StringIO(report))]
    assert lines == [(str(item), code, ITEMS[item - 1][0]) for item, _, code, _, _ in WARNINGS]


@each_way
def test_dry_run_with_aliases_names_the_ports(client: Client, way: str) -> None:
    payload = upload(client, way, ITEMS, dryRun=True)
    assert (payload["preview"]["status"], payload["preview"]["acceptedCount"]) == ("APPLIED", 4)
    assert payload["preview"]["lanes"] == [{"origin": {"code": "CNSGH"}, "destination": {"code": "BEANR"}}]
    assert rows(payload["warnings"]) == WARNINGS


@each_way
def test_upload_refuses_names_of_several_ports_and_of_regions(client: Client, way: str) -> None:
    items = [
        (name, "BEANR", "2024-02-01", "2024-02-01", "100", "USD") for name in ("Manzanillo", "usa", "Europe", "Anverss")
    ]
    payload = upload(client, way, items)
    assert payload["batch"]["status"] == "REJECTED"
    assert [(error["item"], error["code"]) for error in payload["userErrors"]] == [
        *((1, "UNKNOWN_PORT"), (2, "UNKNOWN_PORT"), (3, "NOT_A_PORT"), (4, "UNKNOWN_PORT"))
    ]
    messages = [error["message"] for error in payload["userErrors"]]
    assert messages[0] == "Manzanillo is not a known port; did you mean MXZLO or PAMIT?"
    assert messages[3] == "Anverss is not a known port; did you mean BEANR?"


def test_upload_with_an_alias_of_the_same_port_warns_about_the_lane(client: Client) -> None:
    payload = upload(client, "input", [("CNSHA", "CNSGH", "2024-02-01", "2024-02-01", "100", "USD")])
    assert [(warning["field"], warning["code"]) for warning in payload["warnings"]] == [
        *(("origin", "PORT_ALIAS"), ("destination", "SAME_PORT"))
    ]


def test_upload_with_an_alias_and_an_invalid_price_reports_both(client: Client) -> None:
    items = [("CNSHA", "BEANR", "2024-02-01", "2024-02-01", price, "USD") for price in ("x", "100")]
    payload = upload(client, "input", items, onError="SKIP_INVALID")
    assert payload["batch"]["acceptedCount"] == 1
    assert [(error["item"], error["code"]) for error in payload["userErrors"]] == [(1, "INVALID_PRICE")]
    assert [(warning["item"], warning["code"]) for warning in payload["warnings"]] == [(1, "PORT_ALIAS")]


@pytest.mark.usefixtures("client")
def test_prices_load_accepts_aliases_and_prints_the_ports(module_database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(to_csv([*ITEMS, ("Shanghai", "BEANR", "2024-03-01", "2024-03-01", "1", "USD")]))
    done = ratesgraph_in_process(module_database_url, "prices", "load", path)
    assert "CNSHA is stored as CNSGH" in " ".join(done.stderr.split())
    assert "5 of 5 items" in done.stdout
    with psycopg.connect(module_database_url) as connection:
        lane = "SELECT key FROM prices JOIN locations l ON l.id = origin WHERE first_day = '2024-03-01'"
        assert connection.execute(lane).fetchall() == [("CNSGH",)]
