"""Guard of repository files: valid YAML, CI with the one gate script, installed hooks."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.code.source import PRODUCT, ROOT
from tests.support.waiting import DEADLINE_SECONDS

SKIPPED = {".git", ".venv", "node_modules", ".bench", ".ratesgraph"}
YAML_FILES = [
    path
    for suffix in ("yml", "yaml")
    for path in sorted(ROOT.rglob(f"*.{suffix}"))
    if SKIPPED.isdisjoint(path.relative_to(ROOT).parts)
]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


class MkDocsLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML loader that reads the `!ENV` and `!!python/name:` tags of mkdocs as plain text."""


MkDocsLoader.add_multi_constructor("", lambda _loader, suffix, _node: suffix)


def load(path: Path) -> Any:  # noqa: ANN401
    """Return the content of a YAML file."""
    loader = MkDocsLoader if path.name == "mkdocs.yml" else yaml.SafeLoader
    documents = list(yaml.load_all(path.read_text(encoding="utf-8"), loader))
    return documents[0] if len(documents) == 1 else documents


def check_message(folder: Path, message: str) -> subprocess.CompletedProcess[str]:
    """Run the commit-message check on a message, as git does."""
    file = folder / "COMMIT_EDITMSG"
    file.write_text(message, encoding="utf-8")
    command = [sys.executable, str(ROOT / ".ci" / "check_commit_message.py"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml_file_parses(path: Path) -> None:
    assert load(path)


def test_ci_workflow_runs_the_gate_script() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "ci.yml")
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").is_file()


def test_issue_forms_have_unique_ids_and_a_required_field() -> None:
    assert [path.stem for path in FORMS] == ["bug", "feature", "question"]
    for path in FORMS:
        form = load(path)
        ids = [item["id"] for item in form["body"] if item["type"] != "markdown"]
        assert len(ids) == len(set(ids))
        assert form["name"]
        assert form["description"]
        assert any(item.get("validations", {}).get("required") for item in form["body"])


def test_pre_commit_hooks_call_installed_tools_only() -> None:
    repositories = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    tools = {re.split(r"[\s/]", hook["entry"])[2] for hook in hooks}
    assert tools == {"ruff", "mypy", "ratesgraph", "python"}
    assert all(Path(sys.executable).with_name(tool).exists() for tool in tools)


def test_contributing_names_every_guard() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folder = ROOT / "tests" / "architecture"
    guards = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("test_*.py"))]
    assert guards
    assert not [name for name in guards if f"| `{name}` |" not in text]


def test_contributing_names_every_make_target() -> None:
    targets = re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "test" in targets
    assert not [target for target in targets if f"| `make {target}` |" not in text]


@pytest.mark.parametrize(
    "path", ["CONTRIBUTING.md", "CODE_OF_CONDUCT.md", ".github/PULL_REQUEST_TEMPLATE.md"], ids=lambda path: path
)
def test_contributor_pages_link_and_refer_only_to_existing_files(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)\)", text)
    named = re.findall(rf"`((?:{'|'.join(PRODUCT)})/(?:[a-z_]+/)*(?:[a-z_]+\.(?:py|sql))?)`", text)
    assert not [name for name in [*links, *named] if not (ROOT / name).exists()]


@pytest.mark.parametrize(
    "subject",
    [
        "feat(server): add a readiness probe",
        "fix: return 503 while the database is away",
        "refactor(db/repositories)!: rename the totals module",
        "Merge branch 'main' into layout",
        'Revert "feat(server): add a readiness probe"',
    ],
)
def test_commit_message_check_accepts_conventional_subjects(tmp_path: Path, subject: str) -> None:
    done = check_message(tmp_path, f"{subject}\n\nThe reason.\n# a comment of the editor\n")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("readiness probe added\n", "type(scope)"),
        ("feat(server): Add a readiness probe\n", "type(scope)"),
        ("feat(server): add a readiness probe.\n", "without a period"),
        ("feat(server): add a readiness probe that answers 503 while the server is draining\n", "limit 72"),
        ("feat(server): add a readiness probe\nThe reason.\n", "second line"),
        ("", "type(scope)"),
    ],
    ids=["no type", "capital", "period", "too long", "no blank line", "empty"],
)
def test_commit_message_check_rejects_other_messages(tmp_path: Path, message: str, expected: str) -> None:
    done = check_message(tmp_path, message)
    assert done.returncode == 1
    assert expected in done.stderr
