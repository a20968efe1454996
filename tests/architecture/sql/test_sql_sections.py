"""Guard of SQL sections: each is named after its only function and run by a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import db.sql
from db.sql import FOLDER, SqlFileError, load_sections
from tests.support.code.source import modules

SECTIONS = sorted((path.stem, name) for path in FOLDER.glob("*.sql") for name in load_sections(path.stem))


def sections_in(function: ast.AST) -> Iterator[str]:
    """Yield the name in every `SQL["name"]` of the function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "SQL":
            yield ast.literal_eval(node.slice)


def test_every_section_is_used_only_by_the_function_of_its_name() -> None:
    uses = [
        (path, function.name, section)
        for path, tree in modules("db")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for section in sections_in(function)
    ]
    assert sorted((Path(path).stem, *names) for path, *names in uses) == [
        (subject, name, name) for subject, name in SECTIONS
    ]


def test_every_section_is_run_by_a_test(sections_run: set[tuple[str, str]]) -> None:
    assert not set(SECTIONS) - sections_run


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("-- twice --\n-- One row.\nSELECT 1\n\n-- twice --\n-- One row.\nSELECT 1\n", "broken.sql:5: "),
        ("-- About the file.\n\nSELECT 1\n", "broken.sql:3: "),
        ("-- bare --\nSELECT 1\n", "broken.sql: section bare "),
        ("-- first --\n-- second --\n-- One row.\nSELECT 1\n", "broken.sql: section first "),
    ],
    ids=["the same name twice", "a statement before the first header", "no comment", "an empty section"],
)
def test_malformed_sql_file_is_rejected_with_its_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str
) -> None:
    (tmp_path / "broken.sql").write_text(text)
    monkeypatch.setattr(db.sql, "FOLDER", tmp_path)
    with pytest.raises(SqlFileError) as caught:
        load_sections("broken")
    assert str(caught.value).startswith(place)
