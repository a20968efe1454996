"""Python examples: what they print and draw agrees with the server's answers."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from threading import Timer

import pytest

from tests.support.batches.mutations import REVERT
from tests.support.batches.uploads import UPLOAD
from tests.support.commands.installs import RUN_SECONDS, install_python, run_command, try_command
from tests.support.fixtures.demo import TODAY
from tests.support.fixtures.examples import EXAMPLES, LANES, address_of
from tests.support.fixtures.server import Client, running_server
from tests.support.http.rate_limits import open_limited_server

pytestmark = pytest.mark.slow

PYTHON = ".venv/bin/python"
SERIES = """
query ($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!) {
  priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval) { from to lanes { averages counts } }
}
"""
CELL = re.compile(r"([\d,]+\.\d\d) \(([\d,]+)\)")
SPARSE = ("FIHEL", "NZAKL")
"""Lane without demo data."""
PROBE = """
import json, math, chart
figure = chart.draw(chart.read_series("FIHEL:NZAKL", "EUR"))
(axes,) = figure.axes
(line,) = axes.lines
bands = [len(band.get_paths()) for band in axes.collections]
drawn = [None if math.isnan(value) else round(float(value), 2) for value in line.get_ydata()]
print(json.dumps([axes.get_title("left"), axes.get_ylabel(), drawn, bands]))
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    """Return the folder of the programs with their packages."""
    return install_python(EXAMPLES / "python", "examples-python", "requirements.txt")


def lane_inputs() -> list[dict[str, str]]:
    """Return the lanes as arguments."""
    return [dict(zip(("origin", "destination"), lane.split(":"), strict=True)) for lane in LANES]


def upload(server: Client, *items: dict[str, object]) -> str:
    """Upload prices, wait until they are applied, and return the ID of the batch."""
    payload = server.ask(UPLOAD, input={"prices": items, "waitMs": 30_000})["uploadPrices"]
    assert (payload["batch"]["status"], payload["userErrors"]) == ("APPLIED", [])
    return str(payload["batch"]["id"])


def price(origin: str, destination: str, day: date, amount: float) -> dict[str, object]:
    """Return an item of one day."""
    return {"origin": origin, "destination": destination, "dateFrom": str(day), "dateTo": str(day), "price": amount}


@contextmanager
def watching(programs: Path, server: Client, *lanes: str) -> Iterator[Iterator[str]]:
    """Run `watch_prices.py` and yield its lines. On Ctrl-C it must exit without an error."""
    with subprocess.Popen(
        [programs / PYTHON, "-u", "watch_prices.py", *lanes],
        cwd=programs,
        env=address_of(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        deadline = Timer(RUN_SECONDS, process.kill)
        deadline.start()
        try:
            yield iter(process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            deadline.cancel()
        assert (process.returncode, process.stderr.read()) == (0, "")


def test_weekly_prices_prints_the_averages_and_counts_of_each_week(programs: Path, example_server: Client) -> None:
    monday = TODAY - timedelta(days=TODAY.weekday(), weeks=11)
    variables = {"lanes": lane_inputs(), "from": str(monday), "to": str(TODAY), "interval": "WEEK"}
    series = example_server.ask(SERIES, **variables)["priceSeries"]
    header, *rows = run_command(programs, PYTHON, "weekly_prices.py", settings=address_of(example_server)).splitlines()
    assert header.split() == ["USD,", "week", "of", *LANES]
    printed = [
        (row[:10], [(float(a.replace(",", "")), int(c.replace(",", ""))) for a, c in CELL.findall(row)]) for row in rows
    ]
    assert printed == [
        (day, [(lane["averages"][week], lane["counts"][week]) for lane in series["lanes"]])
        for week, day in enumerate(series["from"])
    ]
    assert len(printed) == 12


def test_weekly_prices_reports_unknown_lanes_and_prints_the_others(programs: Path, example_server: Client) -> None:
    done = try_command(
        programs, PYTHON, "weekly_prices.py", "atlantis:NLRTM", "CNSGH:NLRTM", settings=address_of(example_server)
    )
    assert done.returncode == 0
    assert done.stderr.startswith("UNKNOWN_LOCATION: lanes.0.origin: ")
    assert done.stdout.splitlines()[0].split() == ["USD,", "week", "of", "CNSGH:NLRTM"]


def test_weekly_prices_waits_while_the_server_limits_it(programs: Path, example_database: str) -> None:
    # The program sends two requests at once.
    with open_limited_server(example_database, rate_limit="1/second") as server:
        printed = run_command(programs, PYTHON, "weekly_prices.py", settings=address_of(server))
    assert len(printed.splitlines()) == 13


def test_programs_ask_for_a_token_or_name_the_code(programs: Path, example_database: str) -> None:
    with running_server(example_database, anonymous_reads=False) as server:
        runs = [
            try_command(programs, PYTHON, name, settings=address_of(server))
            for name in ("weekly_prices.py", "chart.py", "watch_prices.py")
        ]
    assert [run.returncode for run in runs] == [1, 1, 1]
    assert "set RATESGRAPH_TOKEN" in runs[0].stderr
    assert runs[1].stderr.startswith("UNAUTHENTICATED: ")
    assert runs[2].stderr == "UNAUTHENTICATED\n"
    assert not [run.stderr for run in runs if "Traceback" in run.stderr]


def test_watch_prices_prints_the_days_of_each_change(programs: Path, example_server: Client) -> None:
    with watching(programs, example_server, "CNSGH:NLRTM") as lines:
        assert next(lines).startswith("CNSGH:NLRTM ")
        day = TODAY - timedelta(days=30)
        batch = upload(example_server, *(price("CNSGH", "NLRTM", day, 1000) for _ in range(3)))
        variables = {"lanes": lane_inputs()[:1], "from": str(day), "to": str(day), "interval": "YEAR"}
        (lane,) = example_server.ask(SERIES, **variables)["priceSeries"]["lanes"]
        expected = ["CNSGH:NLRTM", str(day), "to", str(day), str(lane["averages"][0]), "USD", "of"]
        assert [next(lines).strip(), next(lines).split()[:7]] == ["APPLIED", expected]
        example_server.ask(REVERT, id=batch)
        assert next(lines).strip() == "REVERTED"


def test_watch_prices_exits_with_the_code_of_an_unknown_lane(programs: Path, example_server: Client) -> None:
    done = try_command(programs, PYTHON, "watch_prices.py", "atlantis:NLRTM", settings=address_of(example_server))
    assert (done.returncode, done.stderr.strip()) == (1, "UNKNOWN_LOCATION")


def test_chart_draws_gaps_as_gaps(programs: Path, example_server: Client) -> None:
    monday = TODAY - timedelta(days=TODAY.weekday())
    weeks = {3: 900, 4: 910, 7: 920}
    for weeks_ago, amount in weeks.items():
        day = monday - timedelta(weeks=weeks_ago)
        upload(example_server, *({**price(*SPARSE, day, amount + step), "currency": "EUR"} for step in (0, 10, 20)))
    title, label, drawn, _ = json.loads(run_command(programs, PYTHON, "-c", PROBE, settings=address_of(example_server)))
    assert (title, label) == ("FIHEL → NZAKL", "Price by week in EUR")
    assert {51 - week: value for week, value in enumerate(drawn) if value is not None} == {
        weeks_ago: amount + 10 for weeks_ago, amount in weeks.items()
    }


def test_chart_writes_a_png_file(programs: Path, example_server: Client) -> None:
    file = programs / "chart.png"
    file.unlink(missing_ok=True)
    run_command(programs, PYTHON, "chart.py", settings=address_of(example_server))
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(content[16:20]) == 1500
    assert len(content) > 20_000
