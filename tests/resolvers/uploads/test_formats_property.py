"""Property test: equal records are equal batches, or have equal problems, in every format."""

import csv
import gzip
import io
import json
from dataclasses import dataclass

import polars as pl
import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.batches.price_files import PREFLIGHT
from tests.support.fixtures.server import Client, Json

UPLOAD = """
mutation ($file: Upload!, $input: UploadPriceFileInput) {
  uploadPriceFile(file: $file, input: $input) {
    batch { number status itemCount acceptedCount rejectedCount attempts }
    userErrors { item field code message value }
    warnings { item field code value }
  }
}
"""
STORED = """
SELECT item, origin, destination, first_day, last_day, amount, currency, usd_cents
FROM prices WHERE batch_id = %s ORDER BY item, first_day
"""
SPELLINGS = {
    "origin": ["origin", "Origin", " ORIGIN "],
    "destination": ["destination", "Destination", "DESTINATION"],
    "date_from": ["date_from", "dateFrom", "Date From", "date-from", "DATE_FROM"],
    "date_to": ["date_to", "dateTo", "Date To", "date-to", " DateTo"],
    "origin_code": ["origin_code", "originCode", "Origin Code"],
    "destination_code": ["destination_code", "Destination-Code", "DESTINATION_CODE"],
    "day": ["day", "Day", "DAY "],
    "price": ["price", "Price", "PRICE"],
    "currency": ["currency", "Currency", "CURRENCY", "currency "],
}
LAYOUTS = (
    ("origin", "destination", "date_from", "date_to", "price"),
    ("origin_code", "destination_code", "day", "price"),
)
PORTS = st.sampled_from(["CNSGH", "NLRTM", " cnsgh ", "CNXXX", "europe", ""])
DAYS = st.sampled_from(["2024-01-01", "2024-01-05", "2024-02-29", "2023-02-29", "20240101", "a:b", None])
PRICES = st.one_of(
    st.sampled_from(["0", "-1", "1e3", "1e400", "NaN", "Infinity", "abc", "true", "", "9" * 30, "1 000"]),
    st.decimals(-10_000, 10_000, places=4).map(str),
)
CURRENCIES = st.sampled_from(["USD", "EUR", "eur ", "XQX", "", None])
VALUES: dict[str, st.SearchStrategy[str | None]] = {
    **dict.fromkeys(("origin", "destination", "origin_code", "destination_code"), PORTS),
    **dict.fromkeys(("date_from", "date_to", "day"), DAYS),
    "price": PRICES,
    "currency": CURRENCIES,
    "wrong": st.just("x"),
}
WRONG_KEYS = st.sampled_from([None, None, "curr", "carrier", "currency.1", "x{", "DateTo\u200b", "price_"])

Record = dict[str, str | None]


@dataclass(frozen=True)
class Table:
    """Records with the same columns, and the key of each column, whose values may be absent."""

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    records: tuple[Record, ...]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw records of one layout, sometimes with a key that is unknown or that repeats a column."""
    layout = draw(st.sampled_from(LAYOUTS))
    columns = draw(st.permutations([*layout, *draw(st.sampled_from([(), ("currency",)]))]))
    keys = [draw(st.sampled_from(SPELLINGS[column])) for column in columns]
    wrong = draw(WRONG_KEYS)
    if wrong is not None:
        at = draw(st.integers(0, len(keys)))
        keys.insert(at, wrong)
        columns = [*columns[:at], "wrong", *columns[at:]]
    one = st.fixed_dictionaries({column: VALUES[column] for column in columns})
    records = draw(st.lists(one.filter(lambda record: record["price"]), min_size=1, max_size=5))
    return Table(tuple(keys), tuple(columns), tuple(records))


def as_csv(table: Table) -> bytes:
    """Return the records as CSV."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(table.keys)
    lines.writerows([[record[column] or "" for column in table.columns] for record in table.records])
    return text.getvalue().encode()


def as_parquet(table: Table) -> bytes:
    """Return the records as Parquet."""
    buffer = io.BytesIO()
    values = [[record[column] for record in table.records] for column in table.columns]
    columns = [pl.Series(key, cells, dtype=pl.String) for key, cells in zip(table.keys, values, strict=True)]
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


def as_ndjson(table: Table, data: st.DataObject) -> bytes:
    """Return the records as NDJSON, every line with its own order and spelling of the keys."""
    lines = []
    for record in table.records:
        pairs = []
        for key, column in data.draw(st.permutations(list(zip(table.keys, table.columns, strict=True)))):
            value = record[column]
            spelling = data.draw(st.sampled_from(SPELLINGS.get(column, [key])))
            # Without one of two keys for a column, the other one would be right.
            if value is None and "wrong" not in table.columns and data.draw(st.booleans()):
                continue
            is_number = column == "price" and value is not None and _is_json(value) and data.draw(st.booleans())
            pairs.append(f"{json.dumps(spelling)}: {value if is_number else json.dumps(value)}")
        lines.append(f"{{{', '.join(pairs)}}}\n")
    return "".join(lines).encode()


def _is_json(text: str) -> bool:
    """Return whether the text is a JSON number, or another word such as NaN."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Outcome:
    """Result of an upload: status and counts of its batch, its problems, and its stored prices."""

    counts: Json
    errors: list[Json]
    warnings: list[Json]
    stored: list[tuple[object, ...]]


def upload(converting_client: Client, database_url: str, name: str, data: bytes) -> Outcome:
    """Upload a file that skips invalid items, and return its outcome."""
    request = {"query": UPLOAD, "variables": {"file": None, "input": {"waitMs": 30_000, "onError": "SKIP_INVALID"}}}
    fields = {"operations": json.dumps(request), "map": json.dumps({"0": ["variables.file"]})}
    response = converting_client.http.post("/graphql", data=fields, files={"0": (name, data)}, headers=PREFLIGHT).json()
    assert "errors" not in response, response
    payload = response["data"]["uploadPriceFile"]
    counts = payload["batch"]
    with psycopg.connect(database_url) as connection:
        stored = connection.execute(STORED, (counts.pop("number"),)).fetchall()
    return Outcome(counts, payload["userErrors"], payload["warnings"], stored)


@settings(max_examples=15)
@given(table=tables(), data=st.data())
def test_records_in_every_format_are_the_same_batch_or_have_the_same_problems(
    converting_client: Client, module_database_url: str, table: Table, data: st.DataObject
) -> None:
    lines = as_ndjson(table, data)
    files = {
        "a.csv": as_csv(table),
        "a.parquet": as_parquet(table),
        "a.ndjson": lines,
        "a.jsonl.gz": gzip.compress(lines),
    }
    outcomes = {name: upload(converting_client, module_database_url, name, content) for name, content in files.items()}
    assert {outcome.counts["attempts"] for outcome in outcomes.values()} == {1}
    assert outcomes["a.ndjson"] == outcomes["a.jsonl.gz"]
    if "wrong" not in table.columns:
        assert outcomes["a.ndjson"] == outcomes["a.csv"] == outcomes["a.parquet"]
        return
    # Columns are a problem of the whole file, keys a problem of each line.
    items = {name: [error["item"] for error in outcome.errors] for name, outcome in outcomes.items()}
    assert items["a.csv"] == items["a.parquet"] == [None]
    assert items["a.ndjson"] == list(range(1, len(table.records) + 1))
    assert {error["code"] for outcome in outcomes.values() for error in outcome.errors} == {"WRONG_COLUMNS"}
    assert [outcome.stored for outcome in outcomes.values()] == [[]] * len(outcomes)
