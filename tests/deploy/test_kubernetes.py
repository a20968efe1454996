"""Manifests for Kubernetes and KEDA: valid, restricted, scaled by a query that works."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import psycopg
import pytest

from bench.fleet.scaling import POLL_SECONDS, STABILIZATION_SECONDS, WORK_PER_WORKER
from db.pool import INGEST, connect
from db.repositories import batches
from domain.batches import QueueState
from tests.support.batches.uploads import VALID_ITEM, create_locations
from tests.support.code.source import ROOT
from tests.support.commands.npm import install_scripts
from tests.support.deployment.files import DEPLOY, read_documents
from tests.support.fixtures.server import running_server, running_worker
from tests.support.waiting import eventually

Resource = dict[str, Any]
RESOURCES: list[Resource] = [
    resource for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for resource in read_documents(path)
]
KEDA = [resource for resource in RESOURCES if resource["apiVersion"].startswith("keda.sh/")]
CORE = [resource for resource in RESOURCES if resource not in KEDA]
UPLOAD = (
    "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { number } userErrors { code } } }"
)


def validate(resource: Resource) -> None:
    """Validate a resource by the newest schemas of Kubernetes. Unknown fields are rejected."""
    kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def find(kind: str, name: str) -> Resource:
    """Return the resource of a kind with a name."""
    [found] = [one for one in RESOURCES if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def find_pods() -> dict[str, Resource]:
    """Return the specification of the pods of each workload."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in CORE if "template" in one.get("spec", {})
    }


@pytest.mark.parametrize("resource", CORE, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_manifest_is_valid(resource: Resource) -> None:
    validate(resource)


def test_manifest_validation_rejects_a_wrong_type_and_an_unknown_field() -> None:
    server = find("Deployment", "ratesgraph-server")
    for wrong in ({"replicas": "two"}, {"replica": 2}):
        with pytest.raises(kubernetes_validate.ValidationError):
            validate({**server, "spec": {**server["spec"], **wrong}})


def validate_keda(folder: Path, resources: list[Resource]) -> list[str | None]:
    """Return the problem of each resource by KEDA's schemas, or None."""
    done = subprocess.run(
        ["node", "validate.mjs"],
        cwd=folder,
        input=json.dumps(resources),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    problems: list[str | None] = json.loads(done.stdout)
    return problems


@pytest.mark.slow
def test_scaling_is_valid_by_the_schemas_of_keda() -> None:
    folder = install_scripts(ROOT / "tests" / "deploy" / "keda")
    scaled = find("ScaledObject", "ratesgraph-worker")
    wrong = {**scaled, "spec": {**scaled["spec"], "maxReplicaCount": "four"}}
    assert {resource["kind"] for resource in KEDA} == {"ScaledObject", "TriggerAuthentication"}
    *problems, refused = validate_keda(folder, [*KEDA, wrong])
    assert problems == [None, None]
    assert refused is not None
    assert "maxReplicaCount" in refused


def test_pods_run_without_root_and_with_a_read_only_root() -> None:
    pods = find_pods()
    assert pods.keys() == {"ratesgraph-migrate", "ratesgraph-server", "ratesgraph-worker"}
    for pod in pods.values():
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        # The folder of temporary files, which the image names in TMPDIR.
        assert container["volumeMounts"] == [{"name": "temporary", "mountPath": "/tmp"}]  # noqa: S108
        assert "emptyDir" in pod["volumes"][0]
        assert container["envFrom"] == [{"secretRef": {"name": find("Secret", "ratesgraph")["metadata"]["name"]}}]


def test_server_is_ready_by_readyz_and_stays_available() -> None:
    server = find("Deployment", "ratesgraph-server")
    pod = server["spec"]["template"]["spec"]
    [container] = pod["containers"]
    drain = float(next(one["value"] for one in container["env"] if one["name"] == "RATESGRAPH_DRAIN_SECONDS"))
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["periodSeconds"] < drain
    # Running requests have ten seconds after the drain.
    assert pod["terminationGracePeriodSeconds"] >= drain + 10
    assert server["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = find("PodDisruptionBudget", "ratesgraph-server")["spec"]
    assert budget["maxUnavailable"] < server["spec"]["replicas"]
    labels = server["spec"]["template"]["metadata"]["labels"]
    assert find("Service", "ratesgraph")["spec"]["selector"] == budget["selector"]["matchLabels"] == labels


def test_scaling_refers_to_existing_resources() -> None:
    scaled, authentication = find("ScaledObject", "ratesgraph-worker"), find("TriggerAuthentication", "ratesgraph")
    assert find("Deployment", scaled["spec"]["scaleTargetRef"]["name"])
    [trigger] = scaled["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    [reference] = authentication["spec"]["secretTargetRef"]
    assert reference["key"] in find("Secret", reference["name"])["stringData"]


def test_scaling_follows_the_rule_of_the_simulation() -> None:
    spec = find("ScaledObject", "ratesgraph-worker")["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert spec["pollingInterval"] == POLL_SECONDS
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == STABILIZATION_SECONDS
    assert float(spec["triggers"][0]["metadata"]["targetQueryValue"]) == WORK_PER_WORKER


def test_scaling_query_measures_what_waits(database_url: str) -> None:
    create_locations(database_url)
    [trigger] = find("ScaledObject", "ratesgraph-worker")["spec"]["triggers"]

    def measure() -> float:
        with psycopg.connect(database_url) as connection:
            row = connection.execute(trigger["metadata"]["query"].encode()).fetchone()
        assert row is not None
        (value,) = row
        return float(value)

    def measure_as_the_product() -> float:
        async def run() -> QueueState:
            async with connect(database_url, INGEST) as connection:
                return await batches.measure_queue(connection)

        return asyncio.run(run()).work_seconds

    assert measure() == 0
    with running_server(database_url) as client:
        for _ in range(3):
            client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 0})
        assert measure() == pytest.approx(measure_as_the_product())
        assert measure() > 3 * 0.03
        with running_worker(database_url):
            eventually(lambda: measure() == 0, "the query does not see that the batches have ended")
