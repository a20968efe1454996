"""Audit trail: every change and its entry are committed atomically."""

from pathlib import Path

import psycopg
import pytest

from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.commands.processes import ratesgraph
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.http.response_cache import MOVE, REVERT
from tests.support.tokens import authorization_header, create_api_token

Entry = tuple[str, str, int | None, str]


def entries(database_url: str) -> list[Entry]:
    """Return (caller, action, batch, detail) of all entries, oldest first."""
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT caller, action, batch_id, detail FROM audit_entries ORDER BY id").fetchall()


def test_audit_trail_records_every_write_request_with_its_caller(database_url: str) -> None:
    create_locations(database_url)
    token = create_api_token(database_url, "admin", name="ops")
    begun = entries(database_url)
    with running_worker(database_url), running_server(database_url) as client:
        client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 30_000, "idempotencyKey": "k"})
        client.http.headers.update(authorization_header(token))
        client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 30_000, "idempotencyKey": "k"})
        client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 30_000, "idempotencyKey": "k"})
        client.ask(REVERT, id="1")
        client.ask(MOVE)
        assert entries(database_url)[len(begun) :] == [
            ("anyone", "upload", 1, "uploadPrices"),
            ("token:ops", "upload", 2, "uploadPrices"),
            ("token:ops", "revert", 1, ""),
            ("token:ops", "change tree", None, "0 added, 1 moved: NLRTM"),
        ]


def test_audit_trail_records_nothing_for_requests_without_changes(client: Client, database_url: str) -> None:
    create_locations(database_url)
    begun = entries(database_url)
    client.ask(UPLOAD, input={"prices": []})
    client.ask(UPLOAD, input={"prices": [VALID_ITEM], "dryRun": True})
    client.ask(REVERT, id="1")
    client.ask('mutation { moveLocation(key: "NLRTM", parentSlug: "nowhere") { addedCount } }')
    assert entries(database_url) == begun


def test_audit_trail_entry_and_write_are_committed_atomically(client: Client, database_url: str) -> None:
    create_locations(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE audit_entries RENAME TO gone")
        connection.commit()
        for query, variables in ((UPLOAD, {"input": {"prices": [VALID_ITEM]}}), (MOVE, {})):
            assert client.fail(query, **variables)["extensions"]["code"] == "DATABASE_UNAVAILABLE"
        connection.execute("ALTER TABLE gone RENAME TO audit_entries")
        connection.commit()
        assert connection.execute("SELECT count(*) FROM price_batches").fetchone() == (0,)
        parent = "SELECT p.key FROM locations l JOIN locations p ON p.id = l.parent_id WHERE l.key = 'NLRTM'"
        assert connection.execute(parent).fetchone() == ("europe",)


def test_audit_trail_records_cli_commands_and_the_audit_command_lists_them(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "regions.csv").write_text("slug,name,parent_slug\ntop,Top,\n")
    (tmp_path / "ports.csv").write_text("code,name,parent_slug\nCNSGH,Shanghai,top\nNLRTM,Rotterdam,top\n")
    (tmp_path / "prices.csv").write_text("origin_code,destination_code,day,price\nCNSGH,NLRTM,2024-01-01,10\n")
    ratesgraph_in_process(
        database_url, "locations", "load", "--regions", tmp_path / "regions.csv", "--ports", tmp_path / "ports.csv"
    )
    ratesgraph_in_process(database_url, "prices", "load", tmp_path / "prices.csv")
    token = ratesgraph_in_process(database_url, "token", "create", "--name", "ERP", "--scope", "upload").stdout.strip()
    ratesgraph_in_process(database_url, "token", "revoke", token)
    token_id = token[4:20]
    assert entries(database_url) == [
        ("command", "change tree", None, "3 added, 0 moved: top, CNSGH, NLRTM"),
        ("command", "upload", 1, "prices.csv"),
        ("command", "create token", None, f"{token_id} of ERP: upload"),
        ("command", "revoke token", None, f"{token_id} of ERP"),
    ]
    shown = ratesgraph_in_process(database_url, "audit", "--limit", "2").stdout
    assert shown.index("revoke token") < shown.index("create token")
    assert "prices.csv" not in shown
    assert token not in shown
    assert "prices.csv" in ratesgraph_in_process(database_url, "audit", "--since", "2024-01-01").stdout
    assert "prices.csv" not in ratesgraph_in_process(database_url, "audit", "--since", "2100-01-01T12:30").stdout
    assert "--since" in ratesgraph_in_process(database_url, "audit", "--since", "yesterday", exit_code=2).stderr


@pytest.mark.usefixtures("client")
def test_audit_trail_without_entries_is_printed_with_its_header(database_url: str) -> None:
    assert "time (UTC)" in ratesgraph(database_url, "audit").stdout
