"""Dependency audit of `make lint`: it fails only for known vulnerabilities.

It passes when no audit is possible, for example without a network.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.code.source import ROOT
from tests.support.waiting import DEADLINE_SECONDS

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
WEAK = {
    "name": "weak",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["2.1"], "aliases": [], "description": "bad"}],
}
SKIPPED = {"name": "unpublished", "skip_reason": "not found on PyPI"}


def audit(folder: Path, script: str | None, seconds: int = 25) -> subprocess.CompletedProcess[str]:
    """Run the audit with a stub of pip-audit, or without pip-audit."""
    if script is not None:
        command = folder / "pip-audit"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    source = (ROOT / ".ci" / "audit.py").read_text(encoding="utf-8").replace("SECONDS = 25", f"SECONDS = {seconds}")
    path = f"{folder}:/usr/bin:/bin"
    return subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def report(*packages: object, code: int) -> str:
    """Return a script with the output of pip-audit for the packages."""
    return f"echo some noise >&2\necho '{json.dumps({'dependencies': packages, 'fixes': []})}'\nexit {code}"


def test_dependency_audit_passes_and_counts_packages_without_vulnerabilities(tmp_path: Path) -> None:
    done = audit(tmp_path, report(SOUND, SOUND, SKIPPED, code=0))
    assert (done.returncode, done.stdout) == (0, "No known vulnerability in 2 of 3 packages.\n")


def test_dependency_audit_fails_and_names_a_known_vulnerability(tmp_path: Path) -> None:
    done = audit(tmp_path, report(SOUND, WEAK, SKIPPED, code=1))
    assert (done.returncode, done.stdout) == (1, "weak 2.0: PYSEC-2024-1, fixed in 2.1\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'ERROR:pip_audit._cli:could not connect to PyPI' >&2; exit 1", "could not connect to PyPI"),
        ("exit 1", "pip-audit exited with code 1"),
        ("echo '<html>a proxy</html>'; exit 0", "pip-audit exited with code 0"),
        (report(SKIPPED, SKIPPED, code=0), "no advisories found for any of 2 packages"),
        (None, "pip-audit is not installed"),
    ],
)
def test_dependency_audit_passes_with_a_reason_if_it_cannot_run(
    tmp_path: Path, script: str | None, reason: str
) -> None:
    done = audit(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("not audited: ")
    assert reason in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_dependency_audit_passes_after_a_timeout_without_a_response(tmp_path: Path) -> None:
    began = time.monotonic()
    done = audit(tmp_path, "exec sleep 100", seconds=1)
    assert (done.returncode, done.stdout) == (0, "not audited: no answer within 1 seconds\n")
    assert time.monotonic() - began < 60


def test_dependency_audit_is_part_of_lint() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert ".ci/audit.py" in recipe
