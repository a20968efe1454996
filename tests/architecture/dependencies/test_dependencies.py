"""Guard of dependencies: upper bounds in pyproject.toml, pins and hashes in the lock.

So a release of a library cannot break a fresh clone. `make lock` updates the file.
"""

import re
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.code.source import PRODUCT, ROOT, imported, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PIN = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ;[^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)


def direct_requirements() -> list[Requirement]:
    """Return the requirements of pyproject.toml: dependencies, extras and build backend."""
    project = PROJECT["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    requirements = map(Requirement, [*project["dependencies"], *extras, *PROJECT["build-system"]["requires"]])
    return [requirement for requirement in requirements if requirement.name != project["name"]]


def pins() -> dict[str, list[Version]]:
    """Return the locked versions of each package. Versions of Python may need different ones."""
    found: dict[str, list[Version]] = {}
    for match in PIN.finditer(LOCK):
        found.setdefault(match["name"], []).append(Version(match["version"]))
    return found


def closure() -> list[Requirement]:
    """Return the direct and transitive requirements in the current environment."""
    waiting = [each for each in direct_requirements() if each.marker is None or each.marker.evaluate()]
    reached: dict[tuple[str, frozenset[str]], Requirement] = {}
    while waiting:
        requirement = waiting.pop()
        key = (str(requirement), frozenset(requirement.extras))
        if key in reached:
            continue
        reached[key] = requirement
        for text in distribution(requirement.name).requires or ():
            inner = Requirement(text)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
            ):
                waiting.append(inner)
    return list(reached.values())


def unsatisfied(requirements: list[Requirement], *, anywhere: bool) -> list[str]:
    """Return the requirements without a satisfying locked version.

    With `anywhere`, the versions for all Pythons must satisfy them, otherwise one of them.
    """
    enough = all if anywhere else any
    locked = pins()
    return [
        f"{requirement}: {[str(version) for version in versions] or 'not locked'}"
        for requirement in requirements
        if not (versions := locked.get(canonicalize_name(requirement.name), []))
        or not enough(requirement.specifier.contains(version, prereleases=True) for version in versions)
    ]


def recipe(target: str) -> str:
    """Return the head and the recipe of a target of the Makefile."""
    found = re.search(rf"^{re.escape(target)}:.*\n(?:\t.*\n)+", MAKEFILE, re.MULTILINE)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("requirement", direct_requirements(), ids=str)
def test_dependency_has_an_upper_bound(requirement: Requirement) -> None:
    assert any(specifier.operator in {"<", "<=", "==", "~="} for specifier in requirement.specifier)


def test_dependencies_declare_every_imported_library() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in direct_requirements()}
    providers = packages_distributions()
    names = {name.partition(".")[0] for _, tree in modules(*PRODUCT) for name in imported(tree)}
    libraries = names - sys.stdlib_module_names - set(PRODUCT)
    assert not [
        name for name in libraries if declared.isdisjoint(canonicalize_name(found) for found in providers.get(name, ()))
    ]


def test_lock_satisfies_pyproject() -> None:
    assert not unsatisfied(direct_requirements(), anywhere=True), "run `make lock`"


def test_lock_pins_all_transitive_dependencies() -> None:
    assert not unsatisfied(closure(), anywhere=False), "run `make lock`"


def test_lock_check_detects_unsatisfied_and_unlocked_requirements() -> None:
    requirements = [Requirement("psycopg>=99"), Requirement("never-locked"), Requirement("Prometheus_Client>=0.1")]
    assert [text.partition(":")[0] for text in unsatisfied(requirements, anywhere=True)] == [
        "psycopg>=99",
        "never-locked",
    ]


def test_lock_hashes_every_pin_and_contains_no_urls() -> None:
    rest = PIN.sub("", LOCK)
    assert not [line for line in rest.splitlines() if not line.strip().startswith("#")]
    assert "://" not in LOCK


def test_installation_uses_the_lock() -> None:
    install = recipe("$(STAMP)")
    assert "requirements.lock" in install.partition("\n")[0]
    assert "--require-hashes --requirement requirements.lock" in install
    assert "--no-deps --no-build-isolation --editable ." in install
    assert "make install" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_lock_recipe_covers_all_extras_without_index_urls() -> None:
    assert {"--universal", "--all-extras", "--generate-hashes", "--no-emit-index-url"} <= set(recipe("lock").split())
