"""Settings: values from environment variables, and deprecated names."""

import json

import pytest
from pydantic import ValidationError

from server.config.setting_names import environment_names, find_former_names, find_unknown_names
from server.config.settings import Settings
from tests.support.commands.in_process import ratesgraph_in_process

RENAMED = {
    "RATESGRAPH_DRAIN_SECONDS": ("RATESGRAPH_LINGER_SECONDS", "drain_seconds", 3.0, 4.0),
    "RATESGRAPH_DATABASE_WAIT_SECONDS": ("RATESGRAPH_OUTAGE_SECONDS", "database_wait_seconds", 3.0, 4.0),
    "RATESGRAPH_PERSISTED_ONLY": ("RATESGRAPH_ONLY_REGISTERED", "persisted_only", True, False),
    "RATESGRAPH_MAX_WEBSOCKET_OPERATIONS": ("RATESGRAPH_MAX_SOCKET_OPERATIONS", "max_websocket_operations", 3, 4),
    "RATESGRAPH_ANONYMOUS_READS": ("RATESGRAPH_OPEN_READS", "anonymous_reads", False, True),
}


def test_settings_ignore_empty_environment_variables_except_rate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Settings()
    for field in Settings.model_fields:
        for name in environment_names(field):
            monkeypatch.setenv(name, "")
    # For these an empty value is meaningful: it disables the limit.
    assert Settings() == expected.model_copy(update=dict.fromkeys(["rate_limit", "token_rate_limit"], ""))


@pytest.mark.parametrize("value", ["X-A:", "X-A\nX-B", "X-Ä", "X-A;X-B"])
def test_cors_headers_that_are_no_header_names_are_rejected(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("RATESGRAPH_CORS_HEADERS", value)
    with pytest.raises(ValidationError, match="cors_headers"):
        Settings()


@pytest.mark.parametrize(("name", "former"), [(name, row[0]) for name, row in RENAMED.items()])
def test_renamed_setting_is_read_from_both_names(name: str, former: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, field, one, other = RENAMED[name]
    monkeypatch.setenv(former, str(one).lower())
    assert getattr(Settings(), field) == one
    monkeypatch.setenv(name, str(other).lower())
    assert getattr(Settings(), field) == other
    monkeypatch.setenv(name, "")
    assert getattr(Settings(), field) == one
    monkeypatch.delenv(former)
    monkeypatch.setenv(name, str(one).lower())
    assert getattr(Settings(), field) == one


def test_former_names_in_use_are_found() -> None:
    former = {row[0]: name for name, row in RENAMED.items()}
    assert find_former_names([*former, *RENAMED, "PATH"]) == former
    assert find_former_names(RENAMED) == {}
    assert find_former_names(["ratesgraph_open_reads"]) == {"RATESGRAPH_OPEN_READS": "RATESGRAPH_ANONYMOUS_READS"}


def test_unknown_settings_are_found_with_a_similar_name() -> None:
    known = ["RATESGRAPH_TOKEN", "RATESGRAPH_TEST_ANYTHING", "RATESGRAPH_PORT", "PATH", *RENAMED]
    assert find_unknown_names([*known, *(row[0] for row in RENAMED.values())]) == {}
    assert find_unknown_names(["RATESGRAPH_MAXDAYS", "ratesgraph_prot", "RATESGRAPH_ZZZZ", "DATABASE_URI"]) == {
        "RATESGRAPH_MAXDAYS": "RATESGRAPH_MAX_DAYS",
        "RATESGRAPH_PROT": "RATESGRAPH_PORT",
        "RATESGRAPH_ZZZZ": None,
    }


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"]])
def test_unknown_setting_is_logged_at_start(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.pool.OPEN_SECONDS", 0.2)
    settings = {"RATESGRAPH_MAX_DAY": "3", "RATESGRAPH_LOG_FORMAT": "json"}
    done = ratesgraph_in_process("postgresql:///nowhere?host=/nonexistent", *command, settings=settings, exit_code=1)
    line = json.loads(done.stderr.splitlines()[0])
    assert line["level"] == "warning"
    assert line["event"] == "unknown setting RATESGRAPH_MAX_DAY is ignored; did you mean RATESGRAPH_MAX_DAYS?"


def test_invalid_setting_is_reported_by_the_name_of_its_variable() -> None:
    for name, value in {"RATESGRAPH_PORT": "x", "RATESGRAPH_DRAIN_SECONDS": "-1", "RATESGRAPH_RATE_LIMIT": "x"}.items():
        line = ratesgraph_in_process(None, "queue", settings={name: value}, exit_code=1).stderr
        assert line.startswith(f"{name}: ")
        assert "Value error" not in line


def test_former_setting_name_is_logged_as_deprecated_at_start() -> None:
    settings = {"RATESGRAPH_ONLY_REGISTERED": "false", "RATESGRAPH_TRACES": "false", "RATESGRAPH_LOG_FORMAT": "json"}
    done = ratesgraph_in_process("postgresql:///nowhere", "serve", "--port", "0", settings=settings, exit_code=1)
    line = json.loads(done.stderr.splitlines()[0])
    assert (line["level"], line["setting"], line["use"]) == (
        "warning",
        "RATESGRAPH_ONLY_REGISTERED",
        "RATESGRAPH_PERSISTED_ONLY",
    )


REPLICA = "postgresql://app@replica-{}.example/rates"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (REPLICA.format(1), [REPLICA.format(1)]),
        (f" {REPLICA.format(1)} ,\n{REPLICA.format(2)},", [REPLICA.format(1), REPLICA.format(2)]),
        (f"{REPLICA.format(1)}?options=-csearch_path%3Da,b", [f"{REPLICA.format(1)}?options=-csearch_path%3Da,b"]),
        ("host=replica-1 dbname=rates, host=replica-2", ["host=replica-1 dbname=rates", "host=replica-2"]),
        (",", []),
    ],
)
def test_read_urls_are_separated_by_commas(value: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@primary.example/rates")
    monkeypatch.setenv("RATESGRAPH_READ_URLS", value)
    assert Settings().replica_urls() == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("mysql://app@replica/rates", "URL 1 must name a PostgreSQL database"),
        (f"{REPLICA.format(1)},https://replica.example", "URL 2 must be a connection string"),
        ("postgresql://app@replica-1,replica-2/rates", "URL 1 names several hosts"),
        ("host=replica-1,replica-2 dbname=rates", "URL 1 names several hosts"),
        ("replica-1", "URL 1 must be a URL"),
    ],
)
def test_unusable_read_urls_are_rejected(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@primary.example/rates")
    monkeypatch.setenv("RATESGRAPH_READ_URLS", value)
    with pytest.raises(ValidationError, match=message):
        Settings()


def test_read_urls_without_the_database_that_they_follow_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RATESGRAPH_READ_URLS", REPLICA.format(1))
    with pytest.raises(ValidationError, match="RATESGRAPH_READ_URLS requires DATABASE_URL"):
        Settings()


def test_reads_at_workers_of_a_cluster_without_its_coordinator_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RATESGRAPH_CITUS_DIRECT_READS", "true")
    with pytest.raises(ValidationError, match="RATESGRAPH_CITUS_DIRECT_READS requires DATABASE_URL"):
        Settings()
