"""Units of systemd: verified, and run with the settings of the example."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from tests.faults.restarts import REPLACED, ProcessOutput
from tests.support.batches.uploads import VALID_ITEM, create_locations
from tests.support.commands.ports import find_free_port
from tests.support.deployment.units import read_command, read_environment, verify_units
from tests.support.http.server_process import wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

UPLOAD = (
    "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { number } userErrors { code } } }"
)
ANSWERS = re.compile("answers at")
STATUS = "SELECT status FROM price_batches"
STOP_SECONDS = 60


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    done = verify_units(tmp_path)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "ratesgraph" in line]


@contextmanager
def started(unit: str, variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run the command of a unit in the root folder, as systemd does.

    Check that SIGTERM ends it without an error.
    """
    with subprocess.Popen(
        read_command(unit),
        cwd="/",
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(timeout=STOP_SECONDS)
        assert code == 0


def read_statuses(database_url: str) -> list[str]:
    """Return the status of each batch."""
    with psycopg.connect(database_url) as connection:
        return [status for (status,) in connection.execute(STATUS)]


def test_units_serve_ingest_and_reload(database_url: str) -> None:
    create_locations(database_url)
    token = authorization_header(create_api_token(database_url, "upload"))
    variables = read_environment(database_url, RATESGRAPH_PORT=str(find_free_port()))
    url = f"http://127.0.0.1:{variables['RATESGRAPH_PORT']}"
    with started("ratesgraph.service", variables) as server, started("ratesgraph-worker@.service", variables) as worker:
        output, _ = ProcessOutput(server), ProcessOutput(worker)
        eventually(lambda: output.count(ANSWERS) == 1, "the server does not start", 180)
        eventually(lambda: wait_until_answered(url).status_code == 200, "the server does not become ready", 60)
        body = {"query": UPLOAD, "variables": {"input": {"prices": [VALID_ITEM], "waitMs": 0}}}
        answer = httpx.post(f"{url}/graphql", json=body, headers=token, timeout=60).json()
        assert answer["data"]["uploadPrices"]["userErrors"] == []
        eventually(lambda: read_statuses(database_url) == ["APPLIED"], "the worker does not apply the batch", 120)
        # ExecReload sends the signal that replaces the processes.
        assert read_command("ratesgraph.service", "ExecReload") == ["/bin/kill", "-HUP", "$MAINPID"]
        server.send_signal(signal.SIGHUP)
        eventually(lambda: output.count(REPLACED) == 1, "the processes were not replaced", 120)
        assert wait_until_answered(url).status_code == 200
