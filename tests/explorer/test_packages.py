"""npm packages of pages and examples: exact versions, and a lock without a registry."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.code.source import ROOT

FOLDERS = [ROOT / "explorer", ROOT / "examples" / "typescript"]
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file."""
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


@each_folder
def test_npm_dependencies_have_exact_versions(folder: Path) -> None:
    package = read_json(folder / "package.json")
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert not {name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)}


@each_folder
def test_npm_lock_names_no_registry_and_hashes_every_package(folder: Path) -> None:
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text().splitlines()
    lock = read_json(folder / "package-lock.json")
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert not [name for name, package in packages.items() if "resolved" in package or "integrity" not in package]


@each_folder
def test_npm_lock_agrees_with_the_manifest(folder: Path) -> None:
    package, root = read_json(folder / "package.json"), read_json(folder / "package-lock.json")["packages"][""]
    assert {name: root[name] for name in ("dependencies", "devDependencies")} == {
        name: package[name] for name in ("dependencies", "devDependencies")
    }
