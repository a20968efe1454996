"""Image and Compose file: accepted by their linters, and in step with the project."""

import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from compose_spec.models import ComposeSpecification

from tests.support.code.source import PRODUCT, ROOT
from tests.support.deployment.files import DEPLOY, read_documents

DOCKERFILE = DEPLOY / "Dockerfile"
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
APPLICATION = {"migrate", "server-1", "server-2", "worker"}
COMPOSE: dict[str, Any] = read_documents(DEPLOY / "compose" / "compose.yaml")[0]


def lint(text: str) -> subprocess.CompletedProcess[str]:
    """Run hadolint on the text of a Dockerfile."""
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


def test_dockerfile_passes_the_linter() -> None:
    done = lint(DOCKERFILE.read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout) == (0, "")


def test_linter_rejects_a_faulty_dockerfile() -> None:
    done = lint("FROM debian\nRUN cd /opt\n")
    assert done.returncode == 1
    assert "DL3003" in done.stdout


def test_image_has_two_stages_and_runs_without_root() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert re.findall(r"^FROM (.+)$", text, re.MULTILINE) == ["${BASE} AS build", "${BASE}"]
    final = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", final, re.MULTILINE) == ["10001:10001"]
    assert "pip" not in final
    assert "HEALTHCHECK" in final


def test_build_context_contains_the_product_and_its_locks_only() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    included = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert set(PRODUCT) <= included
    assert included <= {*PRODUCT, "explorer", "deploy/*.lock", "LICENSE", "README.md", "pyproject.toml"}
    assert lines[1] == "*"


@pytest.mark.parametrize("name", ["requirements.lock", "build-requirements.lock"])
def test_image_installs_the_versions_of_the_lock(name: str) -> None:
    locked = set(PIN.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    installed = set(PIN.findall((DEPLOY / name).read_text(encoding="utf-8")))
    assert installed
    assert installed <= locked, "run `make lock`"


def test_image_installs_all_extras_and_no_development_tools() -> None:
    names = {name for name, _ in PIN.findall((DEPLOY / "requirements.lock").read_text(encoding="utf-8"))}
    assert {"psycopg-binary", "strawberry-graphql"} <= names
    # What the commands and settings of a server may need: consume, an archive in a bucket, traces, shared rate limits.
    assert {"aio-pika", "obstore", "opentelemetry-sdk", "redis"} <= names
    assert not {"pytest", "mypy", "ruff", "hatchling", "mkdocs"} & names


def test_compose_file_passes_the_specification() -> None:
    ComposeSpecification.model_validate(COMPOSE)


def test_compose_specification_rejects_an_unknown_condition() -> None:
    wrong = deepcopy(COMPOSE)
    wrong["services"]["worker"]["depends_on"]["migrate"]["condition"] = "service_finished"
    with pytest.raises(ValueError, match="service_finished"):
        ComposeSpecification.model_validate(wrong)


def test_compose_services_wait_for_the_migration_and_have_a_read_only_root() -> None:
    services = COMPOSE["services"]
    assert set(services) == {*APPLICATION, "database", "proxy"}
    for name in APPLICATION:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    for name in APPLICATION - {"migrate"}:
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["proxy"]["depends_on"].keys() == {"server-1", "server-2"}


def test_compose_proxy_knows_the_addresses_of_the_servers() -> None:
    servers = [COMPOSE["services"][name]["networks"]["default"]["ipv4_address"] for name in ("server-1", "server-2")]
    upstream = (DEPLOY / "compose" / "upstream.conf").read_text(encoding="utf-8")
    assert re.findall(r"^ +server (\S+):8000 max_fails=0;$", upstream, re.MULTILINE) == servers
