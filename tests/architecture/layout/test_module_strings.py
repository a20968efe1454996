"""Guard of names in strings: every module or attribute they name exists.

An incomplete move or rename fails here instead of at run time.
"""

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterator

from tests.support.code.source import PRODUCT, ROOT, modules

NAME = re.compile(rf"({'|'.join(PRODUCT)})(\.[A-Za-z_][A-Za-z0-9_]*)+")
ATTRIBUTES = re.compile(rf"(?P<module>({'|'.join(PRODUCT)})(\.[a-z_0-9]+)*):(?P<attribute>\w+)")
IN_CODE = re.compile(r"from ([a-z_.]+) import (\w+)")
NOT_MODULES = {"db.system.name", "db.operation.batch.size", "db.query.text"}
"""Attribute names of OpenTelemetry."""
LAZY_IMPORTS = {"import_module": "", "_import_ingest": "ingest."}
"""Functions that import a module by a literal name, with the prefix that they add."""


def strings(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield (path, string) of every string literal, including docstrings."""
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


def lazy_module(node: ast.AST) -> str | None:
    """Return the module that an expression imports by a literal name, or None.

    The expression may be awaited.
    """
    match node:
        case ast.Await(value=call):
            return lazy_module(call)
        case ast.Call(func=ast.Name(id=function), args=[ast.Constant(value=str(name))]) if function in LAZY_IMPORTS:
            return LAZY_IMPORTS[function] + name
    return None


def lazily_bound(tree: ast.AST) -> dict[str, str]:
    """Return the variables to which an assignment binds a lazy module: name → module."""
    bound = {}
    assignments = (node for node in ast.walk(tree) if isinstance(node, ast.Assign))
    for target, value in ((target, assignment.value) for assignment in assignments for target in assignment.targets):
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=False))
        for variable, bound_value in pairs:
            if isinstance(variable, ast.Name) and (module := lazy_module(bound_value)):
                bound[variable.id] = module
    return bound


def lazy_attributes(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted name of every attribute access on a lazily imported module."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            bound = lazily_bound(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute):
                    module = bound.get(node.value.id) if isinstance(node.value, ast.Name) else lazy_module(node.value)
                    if module is not None:
                        yield f"{module}.{node.attr}"


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


def test_cli_commands_resolve() -> None:
    calls = [
        (ast.literal_eval(node.args[0]), ast.literal_eval(node.args[1]))
        for path, tree in modules("server/cli")
        if "/commands/" not in path
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "run_command"
    ]
    assert len(calls) > 10
    assert not [call for call in calls if not resolves(f"server.cli.commands.{call[0]}.{call[1]}")]


def test_attributes_of_lazily_imported_modules_resolve() -> None:
    found = {(path, name) for path, tree in modules(*PRODUCT, "tests", "bench") for name in lazy_attributes(tree)}
    assert {
        ("server/cli/app.py", "server.cli.console.describe_error"),
        ("server/lifespan.py", "server.auth.oidc.OidcAuthenticator"),
        ("server/ingest_adapter.py", "ingest.batches.revert.revert_batch"),
        ("server/ingest_adapter.py", "ingest.readers.price_file.read_slices"),
    } <= found
    assert not sorted(entry for entry in found if not resolves(entry[1]))
