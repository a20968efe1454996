"""`ratesgraph archive`: folders of any name, unusable variables and addresses, silent disks."""

import os
from pathlib import Path

import psycopg
import pytest

from ingest.archive.files import checked_files
from ingest.archive.storage import open_storage
from tests.support.batches.archives import QUERY, answers, count_prices, urls
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import running_server
from tests.support.s3_server import CREDENTIALS


@pytest.mark.parametrize(
    "settings",
    [
        {"AWS_ENDPOINT_URL": "http://user:hunter2@127.0.0.1:9"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"},
        {"AWS_ENDPOINT_URL": "http://störe:9"},
        {"AWS_ACCESS_KEY_ID": "hunter2\n"},
        {"AWS_SECRET_ACCESS_KEY": "hunter2\r\n"},
        {"AWS_REGION": "us-east-1\n"},
    ],
)
def test_archive_names_a_variable_that_cannot_be_used(
    filled_url: str, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    open_storage.cache_clear()
    for name, value in {**CREDENTIALS, **settings}.items():
        monkeypatch.setenv(name, value)
    arguments = ["archive", "--before", "2024-02", "--to", "s3://bucket/prices"]
    failed = ratesgraph_in_process(filled_url, *arguments, exit_code=1).stderr
    [name] = settings
    assert failed.startswith(f"ARCHIVE_UNREACHABLE: {name} ")
    assert "hunter2" not in failed
    assert count_prices(filled_url) == (36, 0)


def test_archive_takes_a_folder_of_any_name(filled_url: str, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"pr\xff ices \xc3\xa9 [red]")
    folder.mkdir()
    expected = answers(filled_url)
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-02", "--to", folder.as_uri())
    assert len([*folder.rglob("*.parquet")]) == 2
    checked_files.clear()
    assert answers(filled_url) == expected


@pytest.mark.parametrize("url", ["nonsense", "gs://bucket/month=2023-12/x.parquet", "/month=2023-12/x.parquet"])
def test_listed_address_that_is_none_is_an_error_of_single_prices(filled_url: str, tmp_path: Path, url: str) -> None:
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-01", "--to", tmp_path.as_uri())
    with psycopg.connect(filled_url) as connection:
        connection.execute("UPDATE archived_files SET url = %s", [url])
    checked_files.clear()
    with running_server(filled_url) as client:
        codes = {error["extensions"]["code"] for error in client.post(QUERY)["errors"]}
    assert codes == {"INVALID_ARCHIVE_URL"}
    assert ratesgraph_in_process(filled_url, "verify", exit_code=1).stderr.startswith("INVALID_ARCHIVE_URL: ")
    arguments = ["archive", "--delete-older-than", "2024-02"]
    assert ratesgraph_in_process(filled_url, *arguments, exit_code=1).stderr.startswith("INVALID_ARCHIVE_URL: ")
    assert len(urls(filled_url)) == 1


def test_silent_disk_is_an_error_of_single_prices_alone(filled_url: str, tmp_path: Path) -> None:
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-01", "--to", tmp_path.as_uri())
    [url] = urls(filled_url)
    file = tmp_path.joinpath(*url.rsplit("/", 2)[1:])
    file.unlink()
    os.mkfifo(file)
    # Readers wait while the other end is open, and none that comes later finds the file.
    writer = os.open(file, os.O_RDWR)
    checked_files.clear()
    plain = QUERY.partition("lowPrice")[0] + "} }"
    with running_server(filled_url, execution_seconds=5) as client:
        response = client.http.post("/graphql", json={"query": QUERY})
        file.unlink()
        os.close(writer)
        assert response.status_code == 200
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"ARCHIVE_UNREACHABLE"}
        assert client.ask(plain)["averagePrices"]


def test_deletion_names_a_file_that_it_cannot_delete(filled_url: str, tmp_path: Path) -> None:
    ratesgraph_in_process(filled_url, "archive", "--before", "2024-01", "--to", tmp_path.as_uri())
    [url] = urls(filled_url)
    # The file is checked and in memory; a folder in its place cannot be deleted like a file.
    ratesgraph_in_process(filled_url, "verify")
    file = tmp_path.joinpath(*url.rsplit("/", 2)[1:])
    file.unlink()
    file.mkdir()
    failed = ratesgraph_in_process(filled_url, "archive", "--delete-older-than", "2024-02", exit_code=1).stderr
    assert failed.startswith("ARCHIVE_UNREACHABLE: ")
    assert f"The prices of {url} have been deleted from the database: delete the file too" in failed
    assert urls(filled_url) == []
    ratesgraph_in_process(filled_url, "verify")
