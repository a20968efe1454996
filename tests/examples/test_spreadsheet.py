"""Recipe for spreadsheets: every address in it answers with the documented columns."""

import csv
import io
import re

import pytest

from tests.support.fixtures.examples import EXAMPLES
from tests.support.fixtures.server import Client, running_server
from tests.support.tokens import authorization_header, create_api_token

pytestmark = pytest.mark.slow

RECIPE = (EXAMPLES / "spreadsheet.md").read_text(encoding="utf-8")
FORMULA = r'"\s+& \w+\([^)]*\)(?: & ")?'
"""A part of an address that a cell provides: a day."""
ADDRESS = re.compile(rf"https?://[\w.:]+(/series\.csv\?(?:{FORMULA}|[^\s'\"`])*)")
DOCUMENTED = re.compile(rf"```text\n{ADDRESS.pattern}\n```\n\n```csv\n(.*)\n```")
DAYS = ("2026-01-01", "2026-06-30")


def fill_days(path: str) -> str:
    """Return the path with a first and a last day in place of the formulas."""
    first, last = DAYS
    return re.sub(FORMULA, last, re.sub(FORMULA, first, path, count=1)).rstrip(",")


ADDRESSES = [fill_days(path) for path in ADDRESS.findall(RECIPE)]
HEADERS = {fill_days(path): header for path, header in DOCUMENTED.findall(RECIPE)}
PLAIN_HEADER = min(HEADERS.values(), key=len)
"""Header without percentiles."""


def test_spreadsheet_recipe_documents_headers_and_addresses() -> None:
    assert len(HEADERS) == 2
    assert len(ADDRESSES) == 6
    assert all(DAYS[0] in address and DAYS[1] in address for address in ADDRESSES)


@pytest.mark.parametrize("address", ADDRESSES)
def test_spreadsheet_address_answers_with_the_documented_header(example_server: Client, address: str) -> None:
    response = example_server.http.get(address, headers={"Accept": "*/*"})
    assert (response.status_code, response.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    header, *rows = response.text.splitlines()
    assert header == HEADERS.get(address, PLAIN_HEADER)
    assert len(rows) >= 6


def test_spreadsheet_columns_with_types_are_those_of_the_file() -> None:
    typed = re.findall(r'\{"(\w+)", (?:type \w+|Int64\.Type)\}', RECIPE)
    assert "average" in typed
    assert set(typed) <= set(PLAIN_HEADER.split(","))


def test_spreadsheet_token_is_a_header_and_its_scope_is_read(example_database: str) -> None:
    token = create_api_token(example_database, "read", name="workbook")
    with running_server(example_database, writes_are_open=False, anonymous_reads=False) as server:
        statuses = [
            server.http.get(ADDRESSES[0], headers=authorization_header(value)).status_code for value in (None, token)
        ]
    assert statuses == [401, 200]


def test_spreadsheet_figures_below_zero_are_numbers(example_server: Client) -> None:
    rows = list(csv.DictReader(io.StringIO(example_server.http.get(ADDRESSES[1]).text)))
    changes = [float(row["change"]) for row in rows if row["change"]]
    assert min(changes) < 0
