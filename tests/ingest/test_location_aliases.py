"""Alias files: what is loaded, replaced and removed, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from db.repositories.locations import alias_forms
from tests.support.batches.aliases import load_aliased_world
from tests.support.batches.workbooks import workbook
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import Client, running_server
from tests.support.waiting import eventually


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """Yield a client of a server over the world with aliases."""
    load_aliased_world(database_url)
    with running_server(database_url) as client:
        yield client


def find(client: Client, key: str) -> str | None:
    """Return the key of the location with this key or alias."""
    location = client.ask("query ($key: String!) { location(key: $key) { key } }", key=key)["location"]
    return None if location is None else str(location["key"])


def load(database_url: str, path: Path, data: str | bytes, exit_code: int = 0) -> str:
    """Load the data as an alias file; return the output."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    done = ratesgraph_in_process(database_url, "locations", "load", "--aliases", path, exit_code=exit_code)
    return done.stdout + done.stderr


def aliases(database_url: str) -> list[tuple[str, str, str]]:
    """Return all rows of the table."""
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT alias, key, source FROM location_aliases ORDER BY alias, key").fetchall()


@pytest.mark.parametrize(
    "data",
    [
        "alias,key,source\nPuerto de Ámberes,beanr,tariff\nCN ABC,CNSGH,\ncanton,,\nAnvers,NLRTM,\nLow Lands,Europe,\n",
        "KEY;Alias\nBEANR;puerto-de-amberes\nCNSGH;cnabc\n;Canton\nNLRTM;ANVERS\neurope;low lands\n",
        workbook([("alias", "key"), ("Puerto de Amberes", "BEANR"), ("cn abc", "CNSGH"), ("canton", None),
                  ("anvers", "NLRTM"), ("LOW LANDS", "europe")]),
    ],
    ids=["CSV", "semicolons", "workbook"],
)  # fmt: skip
def test_alias_file_adds_replaces_and_removes_aliases_of_a_running_server(
    client: Client, database_url: str, tmp_path: Path, data: str | bytes
) -> None:
    query = '{ location(key: "Anvers") { key } }'
    assert client.ask(query) == {"location": {"key": "BEANR"}}
    before = aliases(database_url)
    printed = load(database_url, tmp_path / "aliases.csv", data).splitlines()[-1]
    assert printed == "3 aliases added, 1 changed, 1 removed, 0 unchanged."
    again = load(database_url, tmp_path / "aliases.csv", data).splitlines()[-1]
    assert again == "0 aliases added, 0 changed, 0 removed, 5 unchanged."
    # The cached response is dropped with the notification of the change.
    eventually(lambda: client.ask(query) == {"location": {"key": "NLRTM"}}, "the alias was not replaced")
    names = ["PUERTO DE AMBERES", "CNABC", "cn abc", "Canton", "low lands"]
    assert [find(client, name) for name in names] == ["BEANR", "CNSGH", "CNSGH", None, "europe"]
    changed = {"puerto de amberes", "cnabc", "canton", "anvers", "low lands"}
    assert [row for row in aliases(database_url) if row[0] not in changed] == [
        row for row in before if row[0] not in changed
    ]
    assert "change aliases" in ratesgraph_in_process(database_url, "audit").stdout


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("alias,key\nzzz,BEANR\nZZZ,NLRTM\n", "AMBIGUOUS_ALIAS: aliases.csv:3: zzz stands for another location"),
        ("alias,key\nx,BEANR\nx,\n", "AMBIGUOUS_ALIAS: aliases.csv:3: x stands for another location in aliases.csv:2;"),
        ("alias,key\nRotterdam,BEANR\n", "AMBIGUOUS_ALIAS: aliases.csv:2: rotterdam is the name of NLRTM"),
        ("alias,key\nManzanillo,MXZLO\n", "AMBIGUOUS_ALIAS: aliases.csv:2: manzanillo is the name of PAMIT"),
        ("alias,key\nnl rtm,BEANR\n", "LOCATION_CLASH: aliases.csv:2: nlrtm is already the key of a location; choose"),
        ("alias,key\nzzz,CNSGH\nx,XXXXX\n", "UNKNOWN_LOCATION: aliases.csv:3: unknown location 'xxxxx'; add it first"),
        ("alias,key\n-,BEANR\n", "INVALID_NAME: aliases.csv:2: an alias must have 1 to 63 printable characters"),
        (f"alias,key\n{'x' * 64},BEANR\n", "INVALID_NAME: aliases.csv:2: an alias must have 1 to 63"),
        ("alias,key\n上海上海上海上海上海上海上海上海,CNSGH\n", "INVALID_NAME: aliases.csv:2: an alias must have 1 to 63"),
        (f"alias,key,source\nx,BEANR,{'x' * 201}\n", "INVALID_NAME: aliases.csv:2: the source must have at most 200"),
        ("alias,key\n", "EMPTY_BATCH: aliases.csv: the file contains no rows"),
        ("alias,code\nx,BEANR\n", "unknown column code; missing column key; expected alias,key, with or without source"),
    ],
)  # fmt: skip
def test_alias_file_that_is_wrong_is_refused_with_its_line_and_changes_nothing(
    client: Client, database_url: str, tmp_path: Path, data: str, message: str
) -> None:
    before = aliases(database_url)
    assert message in " ".join(load(database_url, tmp_path / "aliases.csv", data, exit_code=1).split())
    assert aliases(database_url) == before
    assert find(client, "zzz") is None


def test_alias_file_loads_with_its_ports_or_not_at_all(database_url: str, tmp_path: Path) -> None:
    load_aliased_world(database_url)
    ports, names = tmp_path / "ports.csv", tmp_path / "aliases.csv"
    ports.write_text("code,name,parent_slug\nDEHAM,Hamburg,europe\n")
    files: list[str | Path] = ["--ports", ports, "--aliases", names]
    names.write_text("alias,key\nElbe,DEHAM\nWeser,DEBRV\n")
    ratesgraph_in_process(database_url, "locations", "load", *files, exit_code=1)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM locations WHERE key = 'DEHAM'").fetchone() == (0,)
    names.write_text("alias,key\nElbe,DEHAM\n")
    done = ratesgraph_in_process(database_url, "locations", "load", *files)
    aliased = "1 alias added, 0 changed, 0 removed, 0 unchanged."
    assert done.stdout.splitlines() == ["1 location added, 0 moved, 0 unchanged.", aliased]


def test_bundled_aliases_are_in_the_form_of_a_look_up_and_have_a_source(database_url: str) -> None:
    rows = aliases(database_url)
    assert len(rows) > 300
    for alias, key, source in rows:
        assert alias_forms(alias) == [alias] or key.lower() in alias_forms(alias), alias
        assert alias != key.lower()
        assert source.startswith(("UN/LOCODE 2023-1: ", "GeoNames ", "Regions of the demo data"))
