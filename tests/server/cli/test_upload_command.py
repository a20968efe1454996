"""`ratesgraph prices upload`: messages, results, resumption."""

import csv
import gzip
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.batches.price_files import APPLIED, CSV, MIB, many_lines
from tests.support.batches.uploads import AVERAGES, create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import COMMAND, environment
from tests.support.faults.proxy import Proxy, running_proxy
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.server_process import one_line, serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

BATCHES = "{ batches { edges { node { status source idempotencyKey itemCount } } } }"


@pytest.fixture
def server(database_url: str) -> Iterator[Client]:
    """Yield a server with two ports and no worker."""
    create_locations(database_url)
    with running_server(database_url) as client:
        yield client


@pytest.fixture
def worker(server: Client, database_url: str) -> Iterator[None]:  # noqa: ARG001
    """Yield a worker that applies the server's batches."""
    with running_worker(database_url):
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with three prices."""
    path = tmp_path / "prices.csv"
    path.write_bytes(CSV)
    return path


def url_of(client: Client) -> str:
    """Return the endpoint's URL."""
    return f"{client.http.base_url}/graphql"


def upload(client: Client, *arguments: str | Path, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command until it exits."""
    return ratesgraph_in_process(None, "prices", "upload", "--url", url_of(client), *arguments, exit_code=exit_code)


@contextmanager
def uploading(url: str, file: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command in the background during the block."""
    with subprocess.Popen(
        [COMMAND, "prices", "upload", "--url", url, file],
        env=environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def batches(client: Client) -> list[Json]:
    """Return all batches, newest first."""
    return [edge["node"] for edge in client.ask(BATCHES)["batches"]["edges"]]


@pytest.mark.usefixtures("worker")
def test_upload_command_is_idempotent_for_the_same_file_and_options(server: Client, file: Path) -> None:
    assert "prices.csv: batch 1 applied, 3 of 3 items, 3 daily prices." in upload(server, file).stdout
    assert server.ask(AVERAGES)["averagePrices"] == APPLIED
    assert "already uploaded as batch 1" in upload(server, file).stdout
    assert "batch 2 applied" in upload(server, file, "--on-error", "skip").stdout
    assert "batch 3 applied" in upload(server, file, "--again").stdout
    assert {batch["source"] for batch in batches(server)} == {"prices.csv"}
    assert len(batches(server)) == 3


@pytest.mark.usefixtures("worker")
def test_upload_command_reports_invalid_items_and_writes_rejections(server: Client, file: Path, tmp_path: Path) -> None:
    file.write_bytes(CSV + b"CNSGH,XXXXX,2024-01-01,abc\n" * 300)
    out = tmp_path / "out.csv"
    rejected = upload(server, file, "--rejections", out, exit_code=1)
    assert "prices.csv: the first 20 problems" in rejected.stderr
    assert "UNKNOWN_PORT" in rejected.stderr
    assert "INVALID_PRICE" in rejected.stderr
    assert "rejected, 300 of 303 items are invalid; no price changed" in rejected.stderr
    with out.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 600
    assert rows[0]["file"] == "prices.csv"
    assert {(row["item"], row["code"], row["value"]) for row in rows[-2:]} == {
        ("303", "UNKNOWN_PORT", "XXXXX"),
        ("303", "INVALID_PRICE", "abc"),
    }
    # A repeated upload reports the same outcome.
    assert "300 of 303 items are invalid" in upload(server, file, exit_code=1).stderr
    assert "3 of 303 items" in upload(server, file, "--on-error", "skip").stdout
    assert server.ask(AVERAGES)["averagePrices"] == APPLIED


@pytest.mark.usefixtures("worker")
def test_upload_command_uploads_a_valid_file_despite_unusable_ones(server: Client, file: Path) -> None:
    folder = file.parent
    (folder / "broken.csv.gz").write_bytes(gzip.compress(CSV)[:-9])
    (folder / "empty.csv").touch()
    (folder / "table.xlsx").write_bytes(b"%PDF-1.7")
    (folder / "folder.csv").mkdir()
    names = ("broken.csv.gz", "empty.csv", "table.xlsx", "folder.csv", "nothing.csv")
    done = upload(server, *(folder / name for name in names), file, exit_code=1)
    assert "prices.csv: batch 2 applied" in done.stdout
    broken, empty, unknown, a_folder, nothing = done.stderr.splitlines()
    assert "broken.csv.gz: BROKEN_FILE: " in broken
    assert "empty.csv: EMPTY_BATCH: " in empty
    assert "table.xlsx: UNKNOWN_FORMAT: the file is a PDF document; expected CSV, " in unknown
    assert a_folder.endswith("folder.csv: Is a directory")
    assert nothing.endswith("nothing.csv: No such file or directory")


@pytest.mark.usefixtures("worker")
def test_upload_command_uploads_a_reverted_file_only_with_the_again_option(server: Client, file: Path) -> None:
    upload(server, file)
    server.ask('mutation { revertBatch(id: "1") { userErrors { code } } }')
    assert "reverted (--again uploads it again)" in one_line(upload(server, file, exit_code=1).stderr)
    assert "batch 2 applied" in upload(server, file, "--again").stdout


def test_upload_command_reports_a_file_above_the_body_limit_in_one_line(database_url: str, file: Path) -> None:
    with running_server(database_url, max_upload_bytes=1_000_000) as client:
        file.write_bytes(many_lines(MIB))
        assert "the limit is 1,000,000 bytes" in one_line(upload(client, file, exit_code=1).stderr)


def test_upload_command_reports_a_missing_token_in_one_line(database_url: str, file: Path) -> None:
    with running_server(database_url, writes_are_open=False) as client:
        line = one_line(upload(client, file, exit_code=1).stderr)
        assert "A token with scope `upload` is required. Provide a token" in line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_upload_command_requires_a_valid_token_with_upload_scope(database_url: str, file: Path, workers: str) -> None:
    create_locations(database_url)
    create = ["token", "create", "--name", "ERP", "--scope"]
    token, reader = (ratesgraph_in_process(database_url, *create, scope).stdout.strip() for scope in ("upload", "read"))
    # No setting permits anonymous writes.
    settings = {"RATESGRAPH_ANONYMOUS_READS": "false", "RATESGRAPH_OPEN_WRITES": "true", "RATESGRAPH_HOST": "127.0.0.1"}
    with running_worker(database_url), serving(database_url, "--workers", workers, settings=settings) as (_, url):
        wait_until_answered(url)

        def send(token: str, exit_code: int) -> subprocess.CompletedProcess[str]:
            arguments = ["prices", "upload", "--url", f"{url}/graphql", str(file)]
            return ratesgraph_in_process(None, *arguments, exit_code=exit_code, settings={"RATESGRAPH_TOKEN": token})

        assert "Authentication required: send an" in one_line(send("", 1).stderr)
        assert "lacks the required scope `upload`" in one_line(send(reader, 1).stderr)
        assert "batch 1 applied" in send(token, 0).stdout
        assert "already uploaded as batch 1" in send(token, 0).stdout
        ratesgraph_in_process(database_url, "token", "revoke", token)
        headers = {"Authorization": f"Bearer {token}"}

        def is_rejected_by_all() -> bool:
            # Each request opens a connection, which any of the processes may accept.
            requests = (
                httpx.post(
                    f"{url}/graphql", json={"query": "{ __typename }"}, headers=headers, timeout=DEADLINE_SECONDS
                )
                for _ in range(20)
            )
            return all(response.status_code == 401 for response in requests)

        eventually(is_rejected_by_all, "the token is still accepted")
        assert "Invalid token: unknown, expired or revoked" in send(token, 1).stderr


def port_of(client: Client) -> int:
    """Return the server's port."""
    port = client.http.base_url.port
    assert port is not None
    return port


@pytest.mark.parametrize(("stop", "exit_code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_upload_command_interrupted_while_sending_creates_one_batch_on_rerun(
    server: Client, database_url: str, file: Path, stop: signal.Signals, exit_code: int
) -> None:
    data = many_lines(8 * MIB)
    file.write_bytes(data)
    with running_proxy(port_of(server)) as proxy:
        proxy.stall_after = 2 * MIB
        with uploading(proxy.url, file) as process:
            assert proxy.stalled.wait(DEADLINE_SECONDS)
            process.send_signal(stop)
            _, printed = process.communicate(timeout=DEADLINE_SECONDS)
            assert process.returncode == exit_code
    if stop is signal.SIGINT:
        assert "run the command again to continue" in one_line(printed)
    assert batches(server) == []
    with running_worker(database_url):
        assert "batch 1 applied" in upload(server, file).stdout
    (batch,) = batches(server)
    assert (batch["status"], batch["itemCount"]) == ("APPLIED", data.count(b"\n") - 1)


def test_upload_command_interrupted_while_waiting_resumes_without_resending(
    server: Client, database_url: str, file: Path
) -> None:
    file.write_bytes(many_lines(MIB))
    with uploading(url_of(server), file) as process:
        wait_while_running(lambda: bool(batches(server)), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE_SECONDS) == 130
    with running_proxy(port_of(server)) as proxy:
        # Queries fit into this limit, the file does not.
        proxy.stall_after = MIB // 2
        with uploading(proxy.url, file) as process, running_worker(database_url):
            printed, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0
        assert "batch 1" in printed
    assert len(batches(server)) == 1


def wait_while_running(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until the condition holds, which must be before the process ends."""

    def holds_before_exit() -> bool:
        if condition():
            return True
        assert process.poll() is None, process.communicate()
        return False

    eventually(holds_before_exit, "the condition does not hold in time")


@contextmanager
def disconnect(proxy: Proxy) -> Iterator[None]:
    """Make the server unreachable during the block."""
    server_behind, proxy.server = proxy.server, None
    proxy.cut()
    yield
    proxy.server = server_behind


def test_upload_command_resumes_waiting_after_the_server_recovers(
    server: Client, database_url: str, file: Path
) -> None:
    with running_proxy(port_of(server)) as proxy, uploading(proxy.url, file) as process:
        wait_while_running(lambda: bool(batches(server)), process)
        with disconnect(proxy), running_worker(database_url):
            wait_while_running(lambda: batches(server)[0]["status"] == "APPLIED", process)
        printed, complaints = process.communicate(timeout=DEADLINE_SECONDS)
        assert (process.returncode, complaints) == (0, "")
        assert "batch 1 applied" in printed


def test_upload_command_reconnects_after_a_connection_breaks_while_sending(
    server: Client, database_url: str, file: Path
) -> None:
    data = many_lines(8 * MIB)
    file.write_bytes(data)
    with running_proxy(port_of(server)) as proxy, running_worker(database_url):
        proxy.stall_after = 2 * MIB
        with uploading(proxy.url, file) as process:
            assert proxy.stalled.wait(DEADLINE_SECONDS)
            proxy.stall_after = None
            proxy.cut()
            printed, complaints = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, complaints) == (0, "")
    items = data.count(b"\n") - 1
    assert f"{items:,} of {items:,} items" in printed
    assert len(batches(server)) == 1


def test_upload_command_idempotency_key_consists_of_content_hash_and_options(server: Client, file: Path) -> None:
    with uploading(url_of(server), file) as process:
        wait_while_running(lambda: bool(batches(server)), process)
    (batch,) = batches(server)
    digest = json.dumps(batch["idempotencyKey"])
    assert "file:sha256:" in digest
    assert digest.endswith(':REJECT_BATCH"')
    assert os.fspath(file.parent) not in digest
