"""Real servers that refuse a connection: the reason is recognised, and the remedy works."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from db.errors import ConnectionLost, DatabaseError, describe_for_operator
from db.migrate import migrate
from db.requirements import Work, check_database
from tests.support.databases.memory import temporary_folder
from tests.support.databases.own_server import OwnServer, own_server
from tests.support.databases.relays import create_tls_context, running_relay
from tests.support.waiting import eventually

MAX_CONNECTIONS = "12"
SETUP = """
CREATE ROLE secret LOGIN PASSWORD 'right'; CREATE ROLE open LOGIN; CREATE ROLE nologin;
CREATE ROLE limited LOGIN CONNECTION LIMIT 0; CREATE ROLE unlisted LOGIN; CREATE ROLE rejected LOGIN;
CREATE ROLE identified LOGIN; CREATE ROLE encrypted LOGIN
"""
DATABASES = (
    "CREATE DATABASE prices OWNER open",
    "CREATE DATABASE closed ALLOW_CONNECTIONS false",
    "CREATE DATABASE forbidden",
    "REVOKE CONNECT ON DATABASE forbidden FROM public",
    "CREATE DATABASE full_up CONNECTION LIMIT 0",
)


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server on TCP with users that are authenticated in different ways."""
    with temporary_folder() as folder, own_server(folder, {"max_connections": MAX_CONNECTIONS}) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(SETUP.encode())
            for statement in DATABASES:
                connection.execute(statement.encode())
        yield server


def find_reason(url: str) -> str:
    """Return the sentence about a database that cannot be used."""
    with pytest.raises(DatabaseError) as caught:
        asyncio.run(check_database(url, Work.MIGRATE))
    return describe_for_operator(caught.value)


@pytest.mark.parametrize(
    ("user", "password", "database", "query", "cause"),
    [
        ("secret", "wrong", "prices", "", "the password was rejected"),
        ("secret", "", "prices", "", "a password is required and none was given"),
        ("missing", "", "prices", "", "the user does not exist"),
        ("nologin", "", "prices", "", "the user may not log in"),
        ("unlisted", "", "prices", "", "the server accepts no connection without TLS from here as this user"),
        ("rejected", "", "prices", "", "the server accepts no connection without TLS from here as this user"),
        ("encrypted", "", "prices", "", "the server accepts no connection without TLS from here as this user"),
        ("identified", "", "prices", "", "the server accepts this user only from the system user of the same name"),
        ("open", "", "nowhere", "", "the database does not exist"),
        ("open", "", "closed", "", "the database accepts no connections"),
        ("open", "", "forbidden", "", "the user may not connect to the database"),
        ("limited", "", "prices", "", "all connections of the user are in use"),
        ("open", "", "full_up", "", "all connections of the database are in use"),
        ("open", "", "prices", "sslmode=require", "the URL requires TLS, and the server does not offer it"),
        ("open", "", "prices", "sslmode=strict", "the parameter sslmode of the URL has an invalid value"),
        ("open", "", "prices", "options=-cno_such_thing%3D1", "the server does not accept the options of the URL"),
        ("open", "", "prices", "target_session_attrs=standby", "target_session_attrs of the URL asks for a standby"),
    ],
)
def test_refused_connection_is_explained(
    server: OwnServer, user: str, password: str, database: str, query: str, cause: str
) -> None:
    reason = find_reason(f"{server.url(user, database, password)}?{query}")
    start = f"The database {database} at 127.0.0.1, port {server.port} cannot be reached as user {user}: "
    assert reason.startswith(start + cause)
    assert not password or password not in reason


def test_address_of_a_service_file_is_named(server: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = conninfo_to_dict(server.url("secret", "prices", "wrong"))
    lines = ["[prices]", *(f"{name}={value}" for name, value in parameters.items())]
    (tmp_path / "services").write_text("\n".join(lines))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert find_reason("service=prices").startswith(
        f"The database prices at 127.0.0.1, port {server.port} cannot be reached as user secret: the password was rejected."
    )
    assert "the service of the URL is not defined" in find_reason("service=nowhere")


def test_migration_without_enough_connections_is_explained(server: OwnServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("ALTER ROLE limited CONNECTION LIMIT 2")
        with psycopg.connect(server.url(database="prices"), autocommit=True) as other:
            other.execute("GRANT CREATE ON SCHEMA public TO limited")
        # Each migration has a connection of its own, next to those of the lock and of yoyo.
        with pytest.raises(ConnectionLost) as caught:
            migrate(server.url("limited", "prices"))
        connection.execute("ALTER ROLE limited CONNECTION LIMIT 0")
    assert " cannot be reached as user limited: all connections of the user are in use." in str(caught.value.summary)


@pytest.mark.parametrize(("user", "database"), [("nologin", "prices"), ("open", "closed"), ("open", "forbidden")])
def test_suggested_sql_lets_the_user_connect(server: OwnServer, user: str, database: str) -> None:
    url = server.url(user, database)
    statement = find_reason(url).rpartition(". ")[2]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement.encode())
    psycopg.connect(url).close()


def test_server_without_free_connections_is_explained(server: OwnServer) -> None:
    url = server.url("open", "prices")
    with ExitStack() as stack:
        with suppress(psycopg.OperationalError):
            for _ in range(int(MAX_CONNECTIONS)):
                stack.enter_context(psycopg.connect(url))
        assert ": all connections of the server are in use. Raise max_connections" in find_reason(url)


def test_certificate_of_the_server_is_verified_and_explained(server: OwnServer) -> None:
    with TemporaryDirectory() as folder:
        context, certificate = create_tls_context(Path(folder), "localhost")
        _, other = create_tls_context(Path(folder), "elsewhere")
        with running_relay(server.socket, context) as relay:

            def url(host: str, query: str) -> str:
                return f"postgresql://encrypted@{host}:{relay.port}/prices?sslmode=verify-full&{query}"

            for wrong, cause in {
                url("localhost", f"sslrootcert={other}"): "the server's certificate is not trusted",
                url("127.0.0.1", f"sslrootcert={certificate}"): "the server's certificate is for another host name",
                url("localhost", "sslrootcert=/nonexistent"): (
                    "the file with the certificates of trusted authorities cannot be read (/nonexistent)"
                ),
            }.items():
                assert f" cannot be reached as user encrypted: {cause}." in find_reason(wrong)
            psycopg.connect(url("localhost", f"sslrootcert={certificate}")).close()


def test_address_without_postgresql_is_explained() -> None:
    def reason(port: int) -> str:
        return find_reason(f"postgresql://me@127.0.0.1:{port}/prices").partition(" as user me: ")[2]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        # The server accepts in its backlog and never answers.
        started = time.monotonic()
        assert reason(silent.getsockname()[1]).startswith("it does not answer in time.")
        assert time.monotonic() < started + 20
    assert reason(1).startswith("connection refused; no PostgreSQL listens there.")
    assert "the host name cannot be resolved" in find_reason("postgresql://me@database.invalid/prices")
    assert "its socket does not exist" in find_reason("postgresql:///prices?host=/nonexistent")


def test_timeout_of_the_url_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        find_reason(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/prices?connect_timeout=4")
        assert time.monotonic() > started + 3.5


def test_states_of_a_server_are_explained(server: OwnServer) -> None:
    url = server.url("open", "prices")
    with psycopg.connect(server.url()):
        server.stop("smart", wait=False)
        eventually(lambda: "the server is shutting down" in try_to_connect(url), "the server does not shut down")
    eventually(lambda: not (server.data / "postmaster.pid").exists(), "the server does not stop")

    standby = server.create_signal("standby.signal")
    server.start()
    assert find_reason(url).partition(" as user open: ")[2].startswith("the server is a standby and accepts no changes")
    assert "no server of the URL accepts changes" in find_reason(f"{url}?target_session_attrs=read-write")
    server.stop()

    server.start({"hot_standby": "off"}, wait=False)
    eventually(
        lambda: "the server is recovering, or is a standby that accepts no connections" in try_to_connect(url),
        "the standby does not start",
    )
    server.stop("immediate")
    standby.unlink()

    recovery = server.create_signal("recovery.signal")
    server.start({"restore_command": "'sleep 100'"}, wait=False)
    eventually(lambda: "the server is starting up" in try_to_connect(url), "the server does not start")
    server.stop("immediate")
    recovery.unlink()
    server.start()


def try_to_connect(url: str) -> str:
    """Return the reason of a failed connection, or an empty text."""
    try:
        asyncio.run(check_database(url, Work.READ))
    except ConnectionLost as error:
        return str(error.summary)
    except DatabaseError:
        return ""
    return ""
