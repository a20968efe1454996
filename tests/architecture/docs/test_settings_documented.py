"""Guard of the settings tables: each variable of `Settings` once, with its default.

A row begins with the variable and its default, both as code. Without a default, the cell is empty, a dash or "none".
"""

import re
from pathlib import Path

from server.config.setting_names import environment_names
from server.config.settings import Settings
from tests.support.code.source import ROOT

ROW = re.compile(r"^\|\s*`(?P<name>RATESGRAPH_[A-Z0-9_]+|DATABASE_URL)`\s*\|\s*(?P<default>[^|]*?)\s*\|", re.MULTILINE)
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


def test_setting_default_is_formatted_as_an_environment_value() -> None:
    assert [as_environment_value(value) for value in (False, 8000, Path(".ratesgraph"))] == [
        "false",
        "8000",
        ".ratesgraph",
    ]
