"""Audits of the npm package graphql-http, the reference for GraphQL over HTTP.

npm installs them into .bench/, which git ignores. The test is skipped without npm or a registry.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.fixtures.server import Json, running_server
from tests.support.source import ROOT

SOURCES = ROOT / "tests" / "audit"
INSTALLED = ROOT / ".bench" / "audit"
AUDITS = 61


@pytest.fixture(scope="module")
def script() -> Path:
    """Return the audit script, installed alongside its dependencies."""
    wanted = (SOURCES / "package.json").read_bytes()
    marker = INSTALLED / "installed.json"
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    if not marker.exists() or marker.read_bytes() != wanted:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        (INSTALLED / "package.json").write_bytes(wanted)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm could not install the audits: {done.stderr[-200:]}")
        marker.write_bytes(wanted)
    # Node.js resolves modules relative to the folder of the script.
    return Path(shutil.copy(SOURCES / "audit.mjs", INSTALLED))


def test_graphql_over_http_audits_all_pass(script: Path, module_database_url: str) -> None:
    # Four of the audits use introspection, which only the development profile permits.
    with running_server(module_database_url, profile="development") as client:
        command: list[str | Path] = ["node", script, f"{client.http.base_url}/graphql"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    results: list[Json] = json.loads(done.stdout)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
