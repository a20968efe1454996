"""The previous release, under load, while `migrate` of this one runs and after it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from db.migrate import HISTORY_TABLE, migration_names
from tests.support.batches.forms import is_contracted
from tests.support.commands.processes import COMMAND, environment
from tests.support.deployment.releases import Deployment, require_deployment
from tests.support.faults.readers import reading
from tests.support.faults.uploaders import read_outcomes, uploading
from tests.support.fixtures.server import Client
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

STOP_SECONDS = 60


@contextmanager
def running_worker(database_url: str, deployment: Deployment) -> Iterator[None]:
    """Run a worker of the deployment."""
    variables = {**environment(database_url), **deployment.settings}
    with subprocess.Popen(
        [COMMAND, "worker"], cwd=deployment.folder, env=variables, stdout=subprocess.DEVNULL
    ) as worker:
        try:
            yield
            assert worker.poll() is None, "the worker has ended"
        finally:
            worker.terminate()
            worker.wait(timeout=STOP_SECONDS)


def list_applied(database_url: str) -> set[str]:
    """Return the migrations that the database knows."""
    with psycopg.connect(database_url) as connection:
        return {name for (name,) in connection.execute(f"SELECT migration_id FROM {HISTORY_TABLE}".encode())}


def test_previous_release_answers_and_ingests_during_and_after_the_migration(
    empty_database_url: str, tmp_path: Path
) -> None:
    deployment = require_deployment(tmp_path)
    cases = deployment.prepare(empty_database_url)
    assert list_applied(empty_database_url) < set(migration_names())
    token = authorization_header(create_api_token(empty_database_url, "read", "upload"))
    with (
        running_worker(empty_database_url, deployment),
        serving(empty_database_url, settings=deployment.settings, folder=deployment.folder) as (_, url),
        httpx.Client(base_url=url, headers=token) as http,
    ):
        assert wait_until_answered(url).status_code == 200
        with uploading(Client(http), 2) as uploads, reading(url, cases, persistent=2, short_lived=2) as readings:
            readings.wait_for(20)
            uploads.wait_for(2)
            was_contracted = is_contracted(empty_database_url)
            deployment.migrate(empty_database_url)
            assert list_applied(empty_database_url) == set(migration_names())
            assert is_contracted(empty_database_url) == was_contracted
            readings.wait_for(20)
            uploads.wait_for(2)
        assert [one for one in readings.all if one.status != 200 or "errors" in one.problem] == []
        assert [answer for answer in uploads.answers if not answer.is_stored] == []
        eventually(
            lambda: all(read_outcomes(empty_database_url)[key] == ("APPLIED", 1, 1) for key in uploads.stored),
            "an upload was lost or applied twice",
            120,
        )
