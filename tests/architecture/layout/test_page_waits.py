"""Guard of page tests: they wait for what they assert.

A page changes some time after the action that changes it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.code.source import ROOT

READS = {
    *("all_inner_texts", "all_text_contents", "count", "evaluate", "get_attribute", "inner_text", "input_value"),
    *("is_checked", "is_disabled", "is_enabled", "is_hidden", "is_visible", "text_content"),
}
"""Methods of playwright that return what the page shows at this moment."""


def find_reads(path: Path) -> Iterator[str]:
    """Yield the assertions of a module that read a page once."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Assert):
            continue
        for call in ast.walk(node.test):
            # `list.count` has an argument.
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in READS:
                if call.func.attr != "count" or not call.args:
                    yield f"{path.relative_to(ROOT)}:{node.lineno} reads {call.func.attr}() once"
            elif isinstance(call, ast.Attribute) and ast.unparse(call).endswith("page.url"):
                yield f"{path.relative_to(ROOT)}:{node.lineno} reads the address once"


def find_short_waits(path: Path) -> Iterator[str]:
    """Yield the calls of a module that name a timeout instead of the common deadline."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "timeout" and isinstance(node.value, ast.Constant):
            yield f"{path.relative_to(ROOT)}:{node.value.lineno} waits {ast.unparse(node.value)}"


def test_assertions_about_pages_wait_for_the_page() -> None:
    modules = sorted((ROOT / "tests" / "pages").rglob("*.py"))
    assert modules
    found = [line for path in modules for line in find_reads(path)]
    assert not found, "use `expect` of playwright, or `Visit.expect_value`"


def test_waits_for_pages_use_the_common_deadline() -> None:
    modules = sorted((ROOT / "tests" / "pages").rglob("*.py"))
    assert not [line for path in modules for line in find_short_waits(path)], "leave out the timeout"
