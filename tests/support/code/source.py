"""Source files of the project, as the architecture tests read them.

Folders are listed, so that no architecture test needs git or reads a virtual environment.
"""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PRODUCT = ("domain", "telemetry", "graph", "resolvers", "db", "ingest", "server")
FOLDERS = (*PRODUCT, "explorer", "examples", "deploy", "tests", "bench", "docs", ".ci", ".github")
NOT_SOURCES = {"__pycache__", ".venv", "node_modules", "built"}
"""Folders of what programs wrote: bytecode, installed packages, built pages and examples."""
TEXT = {
    ".py", ".sql", ".md", ".toml", ".graphql", ".csv", ".json", ".yml", ".yaml", ".sh", ".html", ".js", ".ts", ".tsx",
    ".css", ".svg", ".conf", ".service", ".env", ""}  # fmt: skip


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield (path from the root, syntax tree) of every Python module in the folders."""
    for folder in folders:
        for path in sorted(path for path in files(folder) if path.suffix == ".py"):
            yield path.relative_to(ROOT).as_posix(), _parse(path)


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the direction of a dependency"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(folder: str) -> Iterator[Path]:
    """Yield every file of a folder that a person wrote."""
    for parent, folders, names in os.walk(ROOT / folder):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        yield from (Path(parent, name) for name in names)


def texts() -> Iterator[tuple[str, str]]:
    """Yield (path from the root, text) of every source and document of the project."""
    paths = [path for folder in FOLDERS for path in files(folder)]
    # In a linked worktree, .git is a file with the path of another folder.
    paths += [path for path in ROOT.iterdir() if path.name != ".git"]
    for path in sorted(paths):
        if path.is_file() and path.suffix in TEXT:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace")
