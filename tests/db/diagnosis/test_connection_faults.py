"""Failed connections: each has a sentence with its reason and remedy.

The samples are messages of servers and of libpq.
"""

import psycopg
import pytest

from db.diagnosis.connection_faults import CONNECTION_FAULTS, find_fault
from db.diagnosis.conninfo import connection_error

PASSWORD = "s3cret-word"  # noqa: S105
URL = f"postgresql://me:{PASSWORD}@db.example.com/prices"
NO_ENTRY = 'no pg_hba.conf entry for host "10.0.0.5", user "me", database "prices"'
SAMPLES = {
    'FATAL:  password authentication failed for user "me"': "the password was rejected",
    "FATAL:  SASL authentication failed": "the password was rejected",
    # With sslmode=prefer libpq tries again without TLS. The first attempt is the one that matters.
    f'FATAL:  password authentication failed for user "me"\nFATAL:  {NO_ENTRY}, no encryption': "the password was rejected",
    "fe_sendauth: no password supplied": "a password is required and none was given",
    'FATAL:  role "me" does not exist': "the user does not exist",
    "FATAL:  no such user: me": "the user does not exist",
    'FATAL:  role "me" is not permitted to log in': "the user may not log in",
    'FATAL:  Peer authentication failed for user "me"': (
        "the server accepts this user only from the system user of the same name (Peer authentication)"
    ),
    "FATAL:  connection requires a valid client certificate": "the server requires a client certificate",
    "SSL error: tlsv13 alert certificate required": "the server requires a client certificate",
    'private key file "/client.key" has group or world access': "the server requires a client certificate",
    'FATAL:  LDAP authentication failed for user "me"': "LDAP authentication failed",
    f"FATAL:  {NO_ENTRY}, no encryption": (
        "the server accepts no connection without TLS from here as this user (pg_hba.conf, address 10.0.0.5)"
    ),
    f"FATAL:  {NO_ENTRY}, SSL encryption\nFATAL:  {NO_ENTRY}, no encryption": (
        "the server accepts no connection from here as this user (pg_hba.conf, address 10.0.0.5)"
    ),
    'FATAL:  pg_hba.conf rejects connection for host "[local]", user "me", database "prices", no encryption': (
        "the server accepts no connection over its socket as this user (pg_hba.conf)"
    ),
    'FATAL:  database "prices" does not exist': "the database does not exist",
    "FATAL:  no such database: prices": "the database does not exist",
    'FATAL:  database "prices" is not currently accepting connections': "the database accepts no connections",
    'FATAL:  cannot connect to invalid database "prices"': "the database is damaged, because DROP DATABASE was interrupted",
    'FATAL:  permission denied for database "prices"\nDETAIL:  User does not have CONNECT privilege.': (
        "the user may not connect to the database"
    ),
    'FATAL:  too many connections for role "me"': "all connections of the user are in use",
    'FATAL:  too many connections for database "prices"': "all connections of the database are in use",
    "FATAL:  sorry, too many clients already": "all connections of the server are in use",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute": (
        "all connections of the server are in use"
    ),
    "FATAL:  no more connections allowed (max_client_conn)": "all connections of the connection pooler are in use",
    "FATAL:  MaxClientsInSessionMode: max clients reached": "all connections of the connection pooler are in use",
    "FATAL:  the database system is starting up": "the server is starting up",
    "FATAL:  the database system is not yet accepting connections": "the server is starting up",
    "FATAL:  the database system is shutting down": "the server is shutting down",
    "FATAL:  the database system is in recovery mode": (
        "the server is recovering, or is a standby that accepts no connections"
    ),
    "FATAL:  the database system is not accepting connections\nDETAIL:  Hot standby mode is disabled.": (
        "the server is recovering, or is a standby that accepts no connections"
    ),
    "session is read-only": "no server of the URL accepts changes; each is a standby, or read-only",
    "server is in hot standby mode": "no server of the URL accepts changes; each is a standby, or read-only",
    "server is not in hot standby mode": "target_session_attrs of the URL asks for a standby",
    "server does not support SSL, but SSL was required": "the URL requires TLS, and the server does not offer it",
    'server certificate for "db1" (and 1 other name) does not match host name "db"': (
        "the server's certificate is for another host name"
    ),
    "SSL error: certificate verify failed": "the server's certificate is not trusted",
    'root certificate file "/root.crt" does not exist': (
        "the file with the certificates of trusted authorities cannot be read (/root.crt)"
    ),
    'could not read root certificate file "/ca.crt": no start line': (
        "the file with the certificates of trusted authorities cannot be read (/ca.crt)"
    ),
    "FATAL:  unsupported startup parameter in options: search_path": (
        "the connection pooler does not accept the parameter search_path"
    ),
    "FATAL:  unsupported startup parameter: options": "the connection pooler does not accept the parameter options",
    "FATAL:  transaction blocks not allowed in statement pooling mode": (
        "PgBouncer runs in statement mode, which allows no transactions"
    ),
    "FATAL:  server login has been failing, cached error: connect failed": "PgBouncer cannot log in to PostgreSQL",
    "FATAL:  Tenant or user not found": "the connection pooler does not know the project or endpoint of this user",
    'invalid sslmode value: "bogus"': "the parameter sslmode of the URL has an invalid value",
    'invalid integer value "x" for connection option "keepalives"': (
        "the parameter keepalives of the URL has an invalid value"
    ),
    'invalid port number: "99999"': "the port of the URL is invalid",
    'definition of service "prices" not found': "the service of the URL is not defined",
    'FATAL:  unrecognized configuration parameter "searchpath"': (
        'the server does not accept the options of the URL (unrecognized configuration parameter "searchpath")'
    ),
    "failed to resolve host 'db': [Errno -2] Name or service not known": "the host name cannot be resolved",
    'could not translate host name "db" to address: Name or service not known': "the host name cannot be resolved",
    "received invalid response to SSL negotiation: H": "another program answers there, not PostgreSQL",
    "expected authentication request from server, but received H": "another program answers there, not PostgreSQL",
    "Connection refused\n\tIs the server running?": "connection refused; no PostgreSQL listens there",
    "No such file or directory\n\tIs the server running?": "its socket does not exist; no PostgreSQL listens there",
    "Permission denied\n\tIs the server running?": "this system user may not open the server's socket",
    "Network is unreachable\n\tIs the server running?": "the network does not lead there",
    "connection timeout expired": "it does not answer in time",
    "server closed the connection unexpectedly": "the server closed the connection before it answered",
}


@pytest.mark.parametrize(("message", "cause"), SAMPLES.items())
def test_connection_fault_is_recognised_by_its_message(message: str, cause: str) -> None:
    prefix = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '
    error = connection_error(URL, psycopg.OperationalError(prefix + message))
    start = f"The database prices at db.example.com, port 5432 cannot be reached as user me: {cause}. "
    assert error.summary is not None
    assert error.summary.startswith(start)
    # A remedy follows, with all names filled in.
    assert len(error.summary) > len(start)
    assert "{" not in error.summary
    assert PASSWORD not in error.summary


def test_connection_faults_are_all_covered_by_samples() -> None:
    found = [find_fault(message) for message in SAMPLES]
    assert {each.fault for each in found if each is not None} == set(CONNECTION_FAULTS)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("FATAL:  Datenbank »prices« existiert nicht", "FATAL:  Datenbank »prices« existiert nicht."),
        (f"FATAL:  strange {PASSWORD}", "FATAL:  strange ***."),
    ],
)
def test_unknown_message_of_a_server_is_shown_without_the_password(message: str, shown: str) -> None:
    text = f'connection failed: connection to server at "127.0.0.1", port 5432 failed: {message}'
    summary = connection_error(URL, psycopg.OperationalError(text)).summary
    assert summary == f"The database prices at db.example.com, port 5432 cannot be reached as user me: {shown}"


def test_names_in_suggested_sql_are_quoted() -> None:
    error = psycopg.OperationalError('FATAL:  database "my \\"prices\\"" does not exist')
    summary = connection_error('postgresql://a"b@db/my%20%22prices%22', error).summary
    assert str(summary).endswith('CREATE DATABASE "my ""prices""" OWNER "a""b";')
