"""Files in `deploy/`, and the programs that check them."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.code.source import ROOT

DEPLOY = ROOT / "deploy"
SYSTEM_FOLDERS = "/usr/sbin:/sbin"
"""Folders of services, which are often not on the PATH."""


def require_program(name: str) -> str:
    """Return the path of an installed program. Skip the test without it."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), SYSTEM_FOLDERS]))
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def read_documents(path: Path) -> list[Any]:
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
