"""Strings that name a module or an attribute resolve: a move or a rename that forgot one fails here, not at run time."""

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterator

from tests.support.source import PRODUCT, ROOT, modules

NAME = re.compile(rf"({'|'.join(PRODUCT)})(\.[A-Za-z_][A-Za-z0-9_]*)+")
ATTRIBUTES = re.compile(rf"(?P<module>({'|'.join(PRODUCT)})(\.[a-z_0-9]+)*):(?P<attribute>\w+)")
IN_CODE = re.compile(r"from ([a-z_.]+) import (\w+)")
NOT_MODULES = {"db.system.name", "db.operation.batch.size", "db.query.text"}
"""Names of OpenTelemetry's attributes."""


def strings(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield (path, string) of every string literal, docstrings included."""
    for path, tree in modules(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def resolves(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute at any depth below one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            continue
        if found is not None:
            value: object = importlib.import_module(module)
            for attribute in parts[length:]:
                value = getattr(value, attribute, None)
            return value is not None
    return False


def test_dotted_names_in_strings_resolve() -> None:
    whole = {(path, text) for path, text in strings(*PRODUCT, "tests", "bench") if NAME.fullmatch(text)}
    quoted = {
        (path, name)
        for path, text in strings(*PRODUCT, "tests", "bench")
        for name in re.findall(r"`([a-z_.]+)`", text)
        if NAME.fullmatch(name)
    }
    assert not sorted((path, name) for path, name in whole | quoted if name not in NOT_MODULES and not resolves(name))


def test_imports_inside_code_strings_resolve() -> None:
    found = [
        (path, module, name)
        for path, text in strings(*PRODUCT, "tests", "bench")
        for module, name in IN_CODE.findall(text)
        if module.split(".")[0] in PRODUCT
    ]
    assert ("server/runtime/child_processes.py", "server.cli.main", "main") in found
    assert not [entry for entry in found if not resolves(f"{entry[1]}.{entry[2]}")]


def test_entry_points_resolve() -> None:
    found = list(ATTRIBUTES.finditer((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    assert found
    assert all(resolves(f"{entry['module']}.{entry['attribute']}") for entry in found)


def test_commands_of_the_command_line_resolve() -> None:
    tree = dict(modules("server/cli"))["server/cli/main.py"]
    calls = [
        (ast.literal_eval(node.args[0]), ast.literal_eval(node.args[1]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"_call", "_run_command"}
    ]
    assert len(calls) > 10
    assert not [call for call in calls if not resolves(f"server.cli.commands.{call[0]}.{call[1]}")]
