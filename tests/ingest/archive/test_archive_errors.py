"""`ratesgraph archive`: damaged files, wrong options, and places that cannot be written."""

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from ingest.archive.files import checked_files
from ingest.archive.storage import open_storage, split_url
from tests.support.batches.archives import QUERY, answers, count_prices, urls
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph
from tests.support.databases.small_disk import small_disk
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.s3_server import CREDENTIALS, S3Server


def test_missing_and_changed_files_are_errors_that_spare_averages(filled_url: str, archive_url: str) -> None:
    expected = answers(filled_url)
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", archive_url)
    [url, _] = urls(filled_url)
    storage, name = split_url(url)
    content = storage.read(name)
    changed = content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]
    cases: list[tuple[str, Callable[[], None]]] = [
        ("ARCHIVE_FILE_CHANGED", lambda: storage.write(name, changed)),
        ("ARCHIVE_FILE_CHANGED", lambda: storage.write(name, content[:100])),
        ("ARCHIVE_FILE_MISSING", lambda: storage.delete(name)),
    ]
    for code, damage in cases:
        damage()
        checked_files.clear()
        with running_server(filled_url) as client:
            check_failure(client, expected, code, name)
        failed = ratesgraph_in_process(filled_url, "verify", exit_code=1).stderr
        assert failed.startswith(f"{code}: {url}")
        assert "restore it from a backup" in failed
        storage.write(name, content)
        assert answers(filled_url) == expected


def check_failure(client: Client, expected: Json, code: str, name: str) -> None:
    """Require the error of the file for single prices, and answers without them."""
    answer = client.post(QUERY)
    codes = {error["extensions"]["code"] for error in answer["errors"]}
    assert codes == {code}
    for error in answer["errors"]:
        assert name in error["message"]
        assert error["extensions"]["file"] == name
    assert answer["data"]["averagePrices"] is None
    series, expected_series = (data["priceSeries"]["lanes"][0] for data in (answer["data"], expected))
    assert (series["averages"], series["lows"]) == (expected_series["averages"], None)
    plain = client.ask(QUERY.partition("lowPrice")[0] + "} }")["averagePrices"]
    assert [day["priceCount"] for day in plain] == [day["priceCount"] for day in expected["averagePrices"]]
    batch = "{ batches(first: 3, status: APPLIED) { edges { node { id } } } }"
    oldest = client.ask(batch)["batches"]["edges"][-1]["node"]["id"]
    failure = client.fail("mutation ($id: ID!) { revertBatch(id: $id) { batch { status } } }", id=oldest)
    assert failure["extensions"]["code"] == code


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/folder",
        "file://host/folder",
        "file:relative",
        "s3://",
        "gs://bucket",
        "s3://b/x?y=1",
        "file://",
        "x",
        "file:///x?y",
        "file:///x#y",
        "s3://b",
        "s3://Bucket Name",
        "s3://bucket/a//b",
        "s3://bucket/../x",
        "s3://bucket/%00",
        "file:///a%00b",
        "file:///a\nb",
        "file:///a\udcffb",
        "postgresql://user:hunter2@host/prices",
        "s3://user:hunter2@bucket/prices",
    ],
)
def test_archive_rejects_a_url_that_names_no_archive(filled_url: str, url: str) -> None:
    failed = ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", url, exit_code=1).stderr
    assert failed.startswith("INVALID_ARCHIVE_URL: ")
    assert "file:///folder or s3://bucket/folder" in failed
    assert "hunter2" not in failed
    assert count_prices(filled_url) == (36, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--before", "2024-02"],
        ["--to", "file:///x"],
        ["--before", "2024-2", "--to", "file:///x"],
        ["--before", "2024-13", "--to", "file:///x"],
        ["--before", "0000-01", "--to", "file:///x"],
        ["--before", "2024-02-01", "--to", "file:///x"],
        ["--delete-older-than", "2024"],
        ["--delete-older-than", "2024-01", "--to", "file:///x"],
    ],
)
def test_archive_rejects_wrong_options_as_usage_errors(filled_url: str, arguments: list[str]) -> None:
    assert "Traceback" not in ratesgraph_in_process(filled_url, "archive", *arguments, exit_code=2).stderr


def test_archive_to_an_absent_folder_changes_nothing(filled_url: str, tmp_path: Path) -> None:
    url = (tmp_path / "absent").as_uri()
    failed = ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", url, exit_code=1).stderr
    assert failed.startswith("ARCHIVE_UNREACHABLE: the folder ")
    assert "mount its disk" in failed
    (tmp_path / "file").touch()
    url = (tmp_path / "file").as_uri()
    failed = ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", url, exit_code=1).stderr
    assert failed == f"ARCHIVE_UNREACHABLE: {tmp_path}/file is not a folder; name one\n"
    assert count_prices(filled_url) == (36, 0)


def test_archive_to_a_full_disk_changes_nothing(filled_url: str) -> None:
    with small_disk(1) as disk:
        disk.fill()
        url = disk.folder.as_uri()
        failed = ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", url, exit_code=1).stderr
        assert failed.startswith("NO_ROOM: ")
        assert count_prices(filled_url) == (36, 0)
        disk.empty()
        ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", url)
    assert count_prices(filled_url) == (18, 18)


def test_archive_to_a_disk_without_write_access_changes_nothing(filled_url: str) -> None:
    with small_disk(1, "ro") as disk:
        url = disk.folder.as_uri()
        failed = ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", url, exit_code=1).stderr
    assert failed.startswith("ARCHIVE_UNREACHABLE: ")
    assert "access to the folder" in failed
    assert count_prices(filled_url) == (36, 0)


def test_archive_to_an_absent_bucket_changes_nothing(filled_url: str, s3_server: S3Server) -> None:
    del s3_server
    arguments = ["archive", "--before", "2024-02", "--to", "s3://absent-bucket/prices"]
    failed = ratesgraph_in_process(filled_url, *arguments, exit_code=1).stderr
    assert failed.startswith("ARCHIVE_UNREACHABLE: the bucket absent-bucket does not exist")
    assert count_prices(filled_url) == (36, 0)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, {"AWS_ENDPOINT_URL": "nonsense"}])
def test_archive_to_an_unreachable_server_changes_nothing(filled_url: str, settings: dict[str, str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    arguments = ["archive", "--before", "2024-02", "--to", "s3://bucket/prices"]
    failed = ratesgraph(filled_url, *arguments, exit_code=1, settings={**keys, **settings}).stderr
    assert failed.startswith("ARCHIVE_UNREACHABLE: ")
    assert "AWS_ENDPOINT_URL" in failed
    assert count_prices(filled_url) == (36, 0)


def test_second_archive_at_the_same_time_is_refused(filled_url: str, tmp_path: Path) -> None:
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7263003, 'archived_files'::regclass::oid::int)")
        arguments = ["archive", "--before", "2024-02", "--to", tmp_path.as_uri()]
        failed = ratesgraph_in_process(filled_url, *arguments, exit_code=1).stderr
    assert failed.startswith("ARCHIVE_RUNNING: ")
    assert count_prices(filled_url) == (36, 0)


class Refusing(BaseHTTPRequestHandler):
    """Handler of a bucket whose policy refuses everything."""

    def do_PUT(self) -> None:
        """Refuse to store an object."""
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_archive_to_a_bucket_without_permission_changes_nothing(
    filled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        open_storage.cache_clear()
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        arguments = ["archive", "--before", "2024-02", "--to", "s3://refused/prices"]
        failed = ratesgraph_in_process(filled_url, *arguments, exit_code=1).stderr
        server.shutdown()
    assert failed.startswith("ARCHIVE_UNREACHABLE: s3://refused/prices: ")
    assert "the policy of the bucket" in failed
    assert count_prices(filled_url) == (36, 0)


def test_archive_in_a_bucket_names_the_extra_that_it_needs(filled_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    arguments = ["archive", "--before", "2024-02", "--to", "s3://no-package/prices"]
    failed = ratesgraph_in_process(filled_url, *arguments, exit_code=1).stderr
    assert failed == "ARCHIVE_UNREACHABLE: s3://no-package/prices needs the package obstore: install ratesgraph[s3]\n"
