"""Guard of the layout: small folders, and imports between them in one direction."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.support.code.source import PRODUCT, imported, modules

MAX_MODULES = 12
"""Maximum number of modules in a folder. A dozen names are readable at a glance; more belong to two subjects."""

SERVER_LAYERS = [
    {"http"},
    {"rate_limiting"},
    {"config"},
    {"auth", "observability"},
    {"ingest_adapter"},
    {"amqp", "graphql_api", "pages", "routes", "runtime"},
    {"downloads"},
    {"lifespan"},
    {"app"},
    {"cli"},
]
"""Layers of the server's folders, lowest first. A folder imports only from layers below its own."""


def folder_of(path: str) -> str:
    """Return the folder of a module inside its package.

    For a module at the root of the package, return the module itself.
    """
    return PurePosixPath(path).parts[1].removesuffix(".py")


def imports_between_folders(package: str) -> Iterator[tuple[str, str, str]]:
    """Yield (folder, imported folder, path) for each import between folders of a package."""
    for path, tree in modules(package):
        for name in imported(tree):
            parts = name.split(".")
            if parts[0] == package and len(parts) > 1 and parts[1] != folder_of(path):
                yield folder_of(path), parts[1], path


def reachable_folders(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return all folders that are reachable from the start."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for folder in graph[waiting.pop()] - reached:
            reached.add(folder)
            waiting.append(folder)
    return reached


def test_folders_contain_at_most_twelve_modules() -> None:
    counts: defaultdict[str, int] = defaultdict(int)
    for path, _ in modules(*PRODUCT, "bench", "tests/architecture", "tests/support"):
        folder, _, name = path.rpartition("/")
        counts[folder] += name != "__init__.py"
    assert counts["server/http"]
    assert not {folder: count for folder, count in counts.items() if count > MAX_MODULES}


@pytest.mark.parametrize("package", PRODUCT)
def test_imports_between_folders_form_no_cycle(package: str) -> None:
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for folder, target, _ in imports_between_folders(package):
        graph[folder].add(target)
    assert not [folder for folder in list(graph) if folder in reachable_folders(folder, graph)]


def test_server_folders_import_only_from_lower_layers() -> None:
    layer = {folder: number for number, folders in enumerate(SERVER_LAYERS) for folder in folders}
    upward = [
        (path, target)
        for folder, target, path in imports_between_folders("server")
        if folder != "__init__" and layer[target] >= layer[folder]
    ]
    assert not upward
