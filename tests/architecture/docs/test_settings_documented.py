"""Guard of the settings tables: each variable of `Settings` once, with its default.

A row begins with the variable and its default, both as code. Without a default, the cell is empty, a dash or "none".
"""

import re
from pathlib import Path

from server.config.setting_names import environment_names, find_unknown_names
from server.config.settings import Settings
from tests.support.code.source import ROOT

ROW = re.compile(r"^\|\s*`(?P<name>RATESGRAPH_[A-Z0-9_]+|DATABASE_URL)`\s*\|\s*(?P<default>[^|]*?)\s*\|", re.MULTILINE)
VARIABLE = re.compile(r"\bRATESGRAPH_[A-Z0-9_]*[A-Z0-9]\b")
DOCUMENTED_IN = ("docs", "examples", "deploy")
REMOVED = {"RATESGRAPH_OPEN_WRITES"}
"""Settings that only the changelog names."""
NOTHING = {"", "none", "-", "–", "—"}


def as_environment_value(default: object) -> str:
    """Return a default in the form of an environment value."""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_configuration_lists_every_setting_with_its_default() -> None:
    rows = list(ROW.finditer((ROOT / "docs/operations/configuration.md").read_text(encoding="utf-8")))
    table = {row["name"]: "" if row["default"] in NOTHING else row["default"].strip("`") for row in rows}
    expected = {
        environment_names(name)[0]: "" if field.default is None else as_environment_value(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert table == expected
    assert len(rows) == len(table)


def test_renamed_settings_are_listed_with_their_new_names() -> None:
    text = (ROOT / "docs/operations/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (RATESGRAPH_[A-Z_]+) \| (RATESGRAPH_[A-Z_]+) \|", text, re.MULTILINE)
    names = [environment_names(name) for name in Settings.model_fields]
    assert dict(rows) == {former: name for name, *former_names in names for former in former_names}


def test_documented_variables_are_known_at_start() -> None:
    paths = [*ROOT.glob("*.md"), *(path for folder in DOCUMENTED_IN for path in (ROOT / folder).rglob("*"))]
    texts = [
        path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in {".md", ".py", ".ts", ".yaml", ".yml", ".env"} and "node_modules" not in path.parts
    ]
    documented = {name for text in texts for name in VARIABLE.findall(text)} - REMOVED
    assert "RATESGRAPH_PAGES" in documented
    assert find_unknown_names(documented) == {}


def test_setting_default_is_formatted_as_an_environment_value() -> None:
    assert [as_environment_value(value) for value in (False, 8000, Path(".ratesgraph"))] == [
        "false",
        "8000",
        ".ratesgraph",
    ]
