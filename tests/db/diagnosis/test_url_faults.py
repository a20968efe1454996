"""Connection strings of other tools: how to write them, without the password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from db.diagnosis.fault import Fault
from db.diagnosis.url_faults import (
    EXAMPLE,
    MALFORMED,
    OTHER_DATABASE,
    OTHER_FORM,
    PLACEHOLDER,
    QUOTED,
    SEMICOLONS,
    UNKNOWN_PARAMETER,
    URL_FAULTS,
    WEB_ADDRESS,
    find_url_problem,
)
from server.config.database_url import check_database_url
from server.config.settings import Settings

PASSWORD = "s3cret-word"  # noqa: S105
SHOWN = "postgresql://app:***@db/prices"


def form(scheme: str, tool: str, suggestion: str = SHOWN) -> str:
    """Return the message about the URL of another tool."""
    return f"must begin with postgresql://, not with {scheme}://, the form of {tool}. Write {suggestion}"


def parameter(name: str, suggestion: str) -> str:
    """Return the message about a query parameter of another tool."""
    return f"must not contain the parameter {name}, which libpq does not know. Write {suggestion}"


LOGIN = f"app:{PASSWORD}@db"
CASES: list[tuple[Fault, str, str]] = [
    (OTHER_FORM, f"postgresql+psycopg://{LOGIN}/prices", form("postgresql+psycopg", "SQLAlchemy")),
    (OTHER_FORM, f"postgresql+asyncpg://{LOGIN}/prices", form("postgresql+asyncpg", "SQLAlchemy")),
    (
        OTHER_FORM,
        f"postgresql+asyncpg://{LOGIN}:5433/prices?sslmode=require",
        form("postgresql+asyncpg", "SQLAlchemy", "postgresql://app:***@db:5433/prices?sslmode=require"),
    ),
    (OTHER_FORM, f"postgis://{LOGIN}/prices", form("postgis", "Django")),
    (OTHER_FORM, f"psql://{LOGIN}/prices", form("psql", "Django")),
    (OTHER_FORM, f"ecto://{LOGIN}/prices", form("ecto", "Ecto")),
    (OTHER_FORM, f"POSTGRESQL://{LOGIN}/prices", form("POSTGRESQL", "another tool")),
    (
        OTHER_FORM,
        f"jdbc:postgresql://db:5432/prices?user=app&password={PASSWORD}&currentSchema=freight&ssl=true",
        form(
            "jdbc:postgresql",
            "JDBC",
            "postgresql://app:***@db:5432/prices?options=-csearch_path%3Dfreight&sslmode=require",
        ),
    ),
    # The `@` of the password moves the rest of it into the host, so nothing is shown.
    (
        OTHER_FORM,
        f"postgresql+psycopg2://app:x@{PASSWORD}@db/prices",
        form("postgresql+psycopg2", "SQLAlchemy", EXAMPLE),
    ),
    (
        OTHER_FORM,
        f"postgresql+psycopg2://app:1/{PASSWORD}@db/prices",
        form("postgresql+psycopg2", "SQLAlchemy", EXAMPLE),
    ),
    (
        OTHER_FORM,
        f"postgresql+psycopg2://app:1?{PASSWORD}@db/prices",
        form("postgresql+psycopg2", "SQLAlchemy", EXAMPLE),
    ),
    (
        UNKNOWN_PARAMETER,
        f"postgresql://{LOGIN}/prices?schema=freight&connection_limit=5",
        parameter("schema", f"{SHOWN}?options=-csearch_path%3Dfreight"),
    ),
    (
        UNKNOWN_PARAMETER,
        f"postgresql://{LOGIN}/prices?sslmode=require&schema=My%20Freight",
        parameter("schema", f"{SHOWN}?options=-csearch_path%3D%22My%5C%20Freight%22&sslmode=require"),
    ),
    (UNKNOWN_PARAMETER, f"postgres://{LOGIN}/prices?pgbouncer=true", parameter("pgbouncer", SHOWN)),
    (
        OTHER_DATABASE,
        f"mysql://{LOGIN}/prices",
        f"must name a PostgreSQL database; mysql:// is the URL of MySQL. Write {EXAMPLE}",
    ),
    (
        WEB_ADDRESS,
        "https://abc.supabase.co",
        "must be a connection string of PostgreSQL, not the address of a web page."
        f" Copy the connection string that the provider shows: {EXAMPLE}",
    ),
    (
        SEMICOLONS,
        f"Host=db;Username=app;Password={PASSWORD};Database=prices",
        f"must be a URL; pairs separated by semicolons are the form of .NET and PDO. Write {EXAMPLE}",
    ),
    (
        QUOTED,
        f"'postgresql://{LOGIN}/prices'",
        "must not be enclosed in quotes. Remove them; an env file of Docker, for instance, does not remove them.",
    ),
    (
        PLACEHOLDER,
        "postgresql://postgres.abc:[YOUR-PASSWORD]@pooler.example.com:6543/postgres",
        "must contain the password instead of [YOUR-PASSWORD]. Replace the placeholder, with its brackets.",
    ),
    (MALFORMED, f"{PASSWORD}@db/prices", MALFORMED.cause),
    (MALFORMED, f"postgresql://app:{PASSWORD}%zz@db/prices", MALFORMED.cause),
    (MALFORMED, f"postgresql://app:{PASSWORD}@{PASSWORD}@db/prices", MALFORMED.cause),
    # Neither is UTF-8.
    (MALFORMED, f"postgresql://app:{PASSWORD}%e9@db/prices", MALFORMED.cause),
    (MALFORMED, f"postgresql://app:{PASSWORD}\udce9@db/prices", MALFORMED.cause),
    (MALFORMED, f"host=db passwd={PASSWORD}", MALFORMED.cause),
]


@pytest.mark.parametrize(("text", "message"), [(text, message) for _, text, message in CASES])
def test_url_fault_says_how_to_write_the_url_without_the_password(text: str, message: str) -> None:
    assert find_url_problem(text) == message
    assert PASSWORD not in message


def test_url_faults_are_all_covered_by_cases() -> None:
    assert {fault for fault, _, _ in CASES} == set(URL_FAULTS)


@pytest.mark.parametrize(
    "suggestion", [message.partition("Write ")[2] for _, _, message in CASES if "Write " in message]
)
def test_url_fault_suggests_a_url_that_is_accepted(suggestion: str) -> None:
    assert find_url_problem(suggestion.replace("***", "x")) is None


@pytest.mark.parametrize(
    "text",
    [
        f"postgres://{LOGIN}/prices",
        f"postgresql://{LOGIN}/neondb?sslmode=require&channel_binding=require",
        f"postgresql://{LOGIN}/prices?options=endpoint%3Dep-x",
        "postgresql://app@[::1]:5433/prices?ssl=true",
        "postgresql://app@db1,db2:5433/prices?target_session_attrs=read-write",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/prices",
        "postgresql:///prices?host=/var/run/postgresql",
        f"postgresql://a%40b:{PASSWORD}%40%2F@db/my%20prices%2Fnew",
        f"host=db user=app dbname=prices password='{PASSWORD} '",
        "service=prices",
    ],
)
def test_url_that_libpq_understands_is_accepted_unchanged(text: str) -> None:
    assert check_database_url(text) == text


def test_url_loses_the_whitespace_of_a_mounted_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f" postgresql://{LOGIN}/prices\n")
    assert Settings().database_url == f"postgresql://{LOGIN}/prices"
    monkeypatch.setenv("DATABASE_URL", f"\n'postgresql://{LOGIN}/prices'\n")
    with pytest.raises(ValidationError, match="must not be enclosed in quotes"):
        Settings()


@given(
    scheme=st.sampled_from(
        ["postgresql", "postgresql+asyncpg", "jdbc:postgresql", "postgis", "mysql", "POSTGRES", "x"]
    ),
    prefix=st.text("aB1:/@?#&=%' ;[]", max_size=6),
    suffix=st.text("aB1:/@?#&=%' ;[]", max_size=6),
    rest=st.sampled_from(["", "/prices", "/prices?schema=a", ":5432/prices?connection_limit=1&sslmode=require"]),
)
def test_url_fault_never_shows_a_part_of_the_password(scheme: str, prefix: str, suffix: str, rest: str) -> None:
    for text in (
        f"{scheme}://app:{prefix}{PASSWORD}{suffix}@db{rest}",
        f"{scheme}://db{rest}{'&' if '?' in rest else '?'}password={prefix}{PASSWORD}{suffix}",
    ):
        assert PASSWORD not in (find_url_problem(text) or "")
