"""Built distributions, their installation, and what an installed server must be able to do."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.code.source import ROOT
from tests.support.commands.processes import environment
from tests.support.fixtures.server import Json
from tests.support.waiting import eventually

LOCK = ROOT / "requirements.lock"
INSTALL_SECONDS = 600
STOP_SECONDS = 60
TREE = """mutation {
  upsertRegions(regions: [{slug: "asia", name: "Asia"}, {slug: "europe", name: "Europe"}]) { userErrors { code } }
  upsertPorts(ports: [
    {code: "CNSGH", name: "Shanghai", parentSlug: "asia"}, {code: "NLRTM", name: "Rotterdam", parentSlug: "europe"}
  ]) { userErrors { code } }
}"""
UPLOAD = """mutation ($prices: [PriceInput!]!) {
  uploadPrices(input: {prices: $prices, waitMs: 30000}) { batch { status } userErrors { code } }
}"""
PRICES = [
    {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": price} for price in (10, 20, 30)
]
AVERAGES = """{
  averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "asia", destination: "europe") {
    averagePrice priceCount
  }
}"""


class InstallationFailed(Exception):
    """A distribution could not be built or installed; the message is the output of the command."""


def build_distributions(folder: Path) -> tuple[Path, Path]:
    """Build the source distribution, and the wheel from it; return both."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)], ROOT)
    [source] = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder / "sources", filter="data")
    [sources] = (folder / "sources").iterdir()
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], sources)
    return source, find_wheel(folder)


def build_wheel(folder: Path) -> Path:
    """Build the wheel from this folder, with the pages that are built already. Return it."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    return find_wheel(folder)


def find_wheel(folder: Path) -> Path:
    """Return the only wheel of the folder."""
    [wheel] = folder.glob("*.whl")
    return wheel


def install_tool(wheel: Path, folder: Path) -> Path:
    """Install the wheel by `uv tool install`; return the command.

    No program is on the PATH, such as a compiler.
    """
    (folder / "empty").mkdir()
    variables = {
        "PATH": str(folder / "empty"),
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
    }
    options = ["--quiet", "--no-build", "--python", sys.executable, "--constraints", str(LOCK)]
    _run([sys.executable, "-m", "uv", "tool", "install", *options, str(wheel)], folder, variables)
    return folder / "bin" / "ratesgraph"


def install_with_pip(wheel: Path, folder: Path) -> Path:
    """Install the wheel by pip into an empty environment, as pipx does; return the command.

    The versions are those that a user gets today, not those of the lock.
    """
    (folder / "empty").mkdir()
    _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    python = folder / "venv" / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    _run([str(python), "-m", "pip", "install", *options, str(wheel)], folder, {"PATH": str(folder / "empty")})
    return python.with_name("ratesgraph")


def _run(command: list[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise InstallationFailed(done.stdout + done.stderr)


@contextmanager
def serving_from(command: Path, folder: Path) -> Iterator[httpx.Client]:
    """Run `serve` of an installation in a folder, with the embedded database. Yield a client."""
    log = folder / "serve.log"
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            [command, "serve", "--no-demo", "--port", "0"],
            cwd=folder,
            env={**environment(None), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            eventually(lambda: process.poll() is not None or _find_url(log), "the server does not start", 120)
            assert process.poll() is None, log.read_text(encoding="utf-8")
            with httpx.Client(base_url=_find_url(log), timeout=60) as client:
                yield client
        finally:
            process.terminate()
            process.wait(timeout=STOP_SECONDS)


def _find_url(log: Path) -> str:
    found = re.search(r"answers at (http://\S+)/graphql", log.read_text(encoding="utf-8"))
    return found[1] if found else ""


def check_upload(client: httpx.Client) -> str:
    """Add locations and upload prices; return what was uploaded."""
    _ask(client, TREE)
    payload = _ask(client, UPLOAD, prices=PRICES)["uploadPrices"]
    assert payload == {"batch": {"status": "APPLIED"}, "userErrors": []}, payload
    return f"{len(PRICES)} prices applied"


def check_query(client: httpx.Client) -> str:
    """Query the average of the uploaded prices; return it."""
    days = _ask(client, AVERAGES)["averagePrices"]
    assert days == [{"averagePrice": 20.0, "priceCount": 3}], days
    return f"average {days[0]['averagePrice']} of {days[0]['priceCount']}"


def check_page(client: httpx.Client) -> str:
    """Open the page of prices with its script; return their size."""
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200, page.text
    script = client.get(page.text.partition('src="')[2].partition('"')[0])
    assert script.status_code == 200
    return f"page and script, {len(page.content) + len(script.content):,} bytes"


def _ask(client: httpx.Client, query: str, **variables: object) -> Json:
    answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, answer["errors"]
    data: Json = answer["data"]
    return data
