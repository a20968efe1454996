"""Guard of docstrings: the first line is a summary that editors and listings show whole."""

import ast

from tests.support.code.source import FOLDERS, modules

MAX_LENGTH = 90


def test_docstring_summaries_are_at_most_90_characters_long() -> None:
    too_long = [
        f"{path}:{node.body[0].lineno}: {len(summary)} characters"
        for path, tree in modules(*FOLDERS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and (docstring := ast.get_docstring(node))
        and len(summary := docstring.splitlines()[0]) > MAX_LENGTH
    ]
    assert not too_long
