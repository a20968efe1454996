"""TypeScript examples: they compile, and what they print agrees with the server."""

import re
from pathlib import Path

import pytest

from tests.support.code.source import ROOT
from tests.support.commands.installs import try_command
from tests.support.commands.npm import install_scripts, run_script, run_tool
from tests.support.fixtures.demo import TODAY
from tests.support.fixtures.examples import EXAMPLES, LANES, address_of
from tests.support.fixtures.server import Client

pytestmark = pytest.mark.slow

SERIES = """{
  priceSeries(
    lanes: [{ origin: "CNSGH", destination: "NLRTM" }], dateFrom: "2026-06-01", dateTo: "2026-06-30", interval: MONTH
  ) {
    lanes { averages p25: percentile(at: 25) p75: percentile(at: 75) counts }
  }
}"""
HEADER = "origin,destination,date_from,date_to,price\n"


@pytest.fixture(scope="module")
def programs() -> Path:
    """Return the folder of the compiled programs. Its packages are in .bench/."""
    folder = install_scripts(EXAMPLES / "typescript")
    # The configuration reads the schema from two folders above, as it does in examples/.
    assert (folder.parents[1] / "schema.graphql") == ROOT / "schema.graphql"
    run_tool(folder, "graphql-codegen", "--config", "codegen.ts")
    run_tool(folder, "tsc")
    return folder


def price_file(folder: Path, *rows: str) -> str:
    """Write a price file and return its path."""
    file = folder / "prices.csv"
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return str(file)


def test_series_prints_averages_and_percentiles_by_month(programs: Path, example_server: Client) -> None:
    (lane,) = example_server.ask(SERIES)["priceSeries"]["lanes"]
    printed = run_script(programs, "built/series.js", settings=address_of(example_server))
    first, second = re.findall(r"^(\S+) \(USD\)$", printed, re.MULTILINE)
    assert [first, second] == LANES
    table = re.search(r"│ 2026-06 │(.*)│", printed)
    assert table is not None
    assert [float(cell) for cell in table[1].split("│")] == [
        lane[name][0] for name in ("averages", "p25", "p75", "counts")
    ]
    assert f"│ {TODAY:%Y-%m} │" in printed


def test_series_reports_unknown_lanes_and_prints_the_others(programs: Path, example_server: Client) -> None:
    lanes = ("atlantis:NLRTM", "CNSGH:NLRTM")
    done = try_command(programs, "node", "built/series.js", *lanes, settings=address_of(example_server))
    assert done.returncode == 0
    assert done.stderr.startswith("UNKNOWN_LOCATION: lanes.0.origin: ")
    assert re.findall(r"^(\S+) \(USD\)$", done.stdout, re.MULTILINE) == ["CNSGH:NLRTM"]


def test_upload_tries_applies_and_recognizes_a_file(programs: Path, example_server: Client, tmp_path: Path) -> None:
    file = price_file(tmp_path, "CNSGH,NLRTM,2026-06-01,2026-06-30,1450")
    settings = address_of(example_server)
    printed = run_script(programs, "built/upload.js", file, settings=settings).splitlines()
    assert printed[0] == "1 valid item. Largest changes:"
    assert len([line for line in printed if re.match(r"2026-06-\d\d CNSGH → NLRTM: [\d.]+ → [\d.]+$", line)]) == 10
    stored = re.match(r"Batch (\d+) is stored\.", printed[11])
    assert stored is not None
    assert printed[-1] == "APPLIED: 100%"
    again = run_script(programs, "built/upload.js", file, settings=settings).splitlines()
    assert again[-2:] == [f"Batch {stored[1]} was uploaded before.", "APPLIED: 100%"]


def test_upload_reports_problems_and_applies_nothing(programs: Path, example_server: Client, tmp_path: Path) -> None:
    before = example_server.ask("{ batches { totalCount } }")
    file = price_file(tmp_path, "CNSGH,NLXXX,2026-06-01,2026-06-30,1450", "CNSGH,NLRTM,2026-06-31,2026-06-31,1450")
    done = try_command(programs, "node", "built/upload.js", file, settings=address_of(example_server))
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split(":")[:2] for line in done.stderr.splitlines()][:2] == [
        ["item 1", " UNKNOWN_PORT"],
        ["item 2", " INVALID_DATE"],
    ]
    assert example_server.ask("{ batches { totalCount } }") == before


@pytest.mark.parametrize("program", ["series", "upload"])
def test_program_names_the_code_of_a_refused_token(
    programs: Path, example_server: Client, tmp_path: Path, program: str
) -> None:
    settings = {**address_of(example_server), "RATESGRAPH_TOKEN": "rgt_0000000000000000_wrong"}
    file = price_file(tmp_path, "CNSGH,NLRTM,2026-06-01,2026-06-30,1450")
    arguments = [file] if program == "upload" else []
    done = try_command(programs, "node", f"built/{program}.js", *arguments, settings=settings)
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "UNAUTHENTICATED")
