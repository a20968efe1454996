"""npm packages of the pages: exact versions, and a lock file that names no registry."""

import json
import re
from typing import Any

from tests.support.code.source import ROOT

EXPLORER = ROOT / "explorer"
PACKAGE: dict[str, Any] = json.loads((EXPLORER / "package.json").read_bytes())
LOCK: dict[str, Any] = json.loads((EXPLORER / "package-lock.json").read_bytes())


def test_npm_dependencies_have_exact_versions() -> None:
    versions = {**PACKAGE["dependencies"], **PACKAGE["devDependencies"]}
    assert not {name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)}


def test_npm_lock_names_no_registry_and_hashes_every_package() -> None:
    assert "omit-lockfile-registry-resolved=true" in (EXPLORER / ".npmrc").read_text().splitlines()
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert packages
    assert not [name for name, package in packages.items() if "resolved" in package or "integrity" not in package]


def test_npm_lock_agrees_with_the_manifest() -> None:
    root = LOCK["packages"][""]
    assert {name: root[name] for name in ("dependencies", "devDependencies")} == {
        name: PACKAGE[name] for name in ("dependencies", "devDependencies")
    }
