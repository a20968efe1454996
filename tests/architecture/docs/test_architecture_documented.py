"""Guard of ARCHITECTURE.md: a paragraph for each product folder, no outdated names."""

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement

from tests.support.code.private_apis import OWNERS
from tests.support.code.source import PRODUCT, ROOT, modules

SOURCE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TEXT = " ".join(SOURCE.split())
PARAGRAPH = re.compile(r"\*\*`(?P<folder>[a-z_/]+)/`\*\* ")
FILE = re.compile(r"`(?P<path>(?:[a-z_]+/)+[a-z_0-9]+\.(?:py|sql|md))`")
LINK = re.compile(r"\]\((?P<target>[^)#:\s]+)\)")
DOTTED = re.compile(rf"`(?P<module>(?:{'|'.join(PRODUCT)})(?:\.[a-z_]+)+)`")
CAP = re.compile(r"^\| (?P<library>[a-z0-9-]+) `<(?P<cap>[0-9.]+)` \|", re.MULTILINE)
PLACE = re.compile(r"`(?P<path>(?:[a-z_]+/)+[a-z_]+\.py)` `(?P<name>\w+(?:\.\w+)?)`")


def product_folders() -> set[str]:
    """Return the product folders with modules or SQL files, the pages and the examples."""
    paths = [path for package in PRODUCT for suffix in ("py", "sql") for path in (ROOT / package).rglob(f"*.{suffix}")]
    return {path.parent.relative_to(ROOT).as_posix() for path in paths} | {"explorer", "examples"}


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Yield the functions and classes of a module, and methods as `Class.method`."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            methods = [inner for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)]
            yield from (f"{node.name}.{method.name}" for method in methods)


def test_architecture_has_a_paragraph_for_every_product_folder() -> None:
    assert sorted(PARAGRAPH.findall(TEXT)) == sorted(product_folders())


def test_files_named_in_the_architecture_exist() -> None:
    files = set(FILE.findall(TEXT))
    assert "server/app.py" in files
    assert not sorted(path for path in files if not (ROOT / path).is_file())


def test_dotted_modules_named_in_the_architecture_exist() -> None:
    assert not [name for name in DOTTED.findall(TEXT) if importlib.util.find_spec(name) is None]


def test_functions_named_in_the_architecture_exist() -> None:
    defined = {path: set(defined_names(tree)) for path, tree in modules(*PRODUCT)}
    places = PLACE.findall(TEXT)
    assert len(places) > 50
    assert not [(path, name) for path, name in places if name not in defined[path]]


def test_links_of_the_architecture_lead_to_files() -> None:
    targets = set(LINK.findall(TEXT))
    assert "docs/decisions/index.md" in targets
    assert not [target for target in targets if not (ROOT / target).is_file()]


def test_architecture_lists_libraries_of_private_apis_with_their_version_caps() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {requirement.name: requirement for requirement in map(Requirement, project["dependencies"])}
    caps = set(CAP.findall(SOURCE))
    assert {owner.library for owner in OWNERS} <= {library for library, _ in caps}
    assert not [(name, cap) for name, cap in caps if f"<{cap}" not in str(bounds[name].specifier).split(",")]


def test_architecture_lists_every_file_that_uses_private_apis() -> None:
    table = SOURCE.partition("## Private parts of libraries")[2]
    assert not [owner.needed_by for owner in OWNERS if f"`{owner.needed_by}`" not in table]
