"""Failures to open a connection, recognised by the message of libpq or of the server.

A failed connection has no SQLSTATE in libpq. So a server whose messages are in another language is not recognised, and its
message is shown as it is.
"""

import re
from typing import NamedTuple

from db.diagnosis.fault import Fault

TLS = r"(?:SSL|TLS)"
NO_ENTRY = r"(?:no pg_hba\.conf entry|pg_hba\.conf rejects connection) for host \"(?P<address>[^\"\n]*)\""
CONNECTIONS = (
    "A server process opens up to RATESGRAPH_POOL_SIZE + RATESGRAPH_INGEST_POOL_SIZE + 1 connections, a worker up to 2 × "
    "--concurrency + 2."
)

REFUSED_LOGINS = (
    Fault(
        "the password was rejected",
        "Correct the user or the password in the URL. Percent-encode special characters of the password, such as %40 for @.",
        r"password authentication failed|SASL authentication failed|wrong password",
    ),
    Fault(
        "a password is required and none was given",
        "Add it to the URL (postgresql://USER:PASSWORD@…), or set PGPASSWORD or a password file.",
        r"no password supplied",
    ),
    Fault(
        "the user does not exist",
        "Correct the user in the URL, or create the role: CREATE ROLE {role} LOGIN PASSWORD '…';",
        r"role \"[^\n]*\" does not exist|no such user",
    ),
    Fault(
        "the user may not log in",
        "ALTER ROLE {role} LOGIN;",
        r"role \"[^\n]*\" is not permitted to log in",
    ),
    Fault(
        "the server accepts this user only from the system user of the same name ({method} authentication)",
        "Run the command as that system user, or connect with a password over TCP: postgresql://USER:PASSWORD@localhost/DATABASE.",
        r"(?P<method>peer|ident) authentication failed",
    ),
    Fault(
        "the server requires a client certificate",
        "Name it in the URL: sslcert=/path/client.crt&sslkey=/path/client.key. Only its owner may read the key (chmod 600).",
        r"valid client certificate|certificate required|could not (?:read|load|open) (?:certificate|private key) file"
        r"|certificate present, but not private key|private key file \"[^\n]*\"|certificate authentication failed",
    ),
    Fault(
        "{method} authentication failed",
        "Correct the user or the password in the URL, or the user's line in pg_hba.conf.",
        r"(?P<method>LDAP|PAM|RADIUS|GSSAPI|SSPI|BSD|OAuth\w*) authentication failed",
    ),
    Fault(
        "the server accepts no connection over its socket as this user (pg_hba.conf)",
        "Add a line to pg_hba.conf and reload the server: local {database} {role} scram-sha-256",
        r"pg_hba\.conf[^\n]* for host \"\[local\]\"",
    ),
    Fault(
        "the server accepts no connection without TLS from here as this user (pg_hba.conf, address {address})",
        "Add sslmode=require to the URL. If the server has no TLS, add a line to pg_hba.conf and reload the server:"
        " host {database} {role} {address}/32 scram-sha-256 (/128 for IPv6)",
        rf"\A(?!.*, SSL encryption).*{NO_ENTRY}[^\n]*no encryption",
    ),
    Fault(
        "the server accepts no connection from here as this user (pg_hba.conf, address {address})",
        "Add a line to pg_hba.conf and reload the server: host {database} {role} {address}/32 scram-sha-256 (/128 for IPv6)",
        NO_ENTRY,
    ),
)
"""Failures of authentication. The server has answered."""

UNUSABLE_DATABASES = (
    Fault(
        "the database does not exist",
        "Correct its name in the URL, or create it, for instance with createdb: CREATE DATABASE {database} OWNER {role};",
        r"database \"[^\n]*\" does not exist|no such database",
    ),
    Fault(
        "the database accepts no connections",
        "ALTER DATABASE {database} ALLOW_CONNECTIONS true;",
        r"is not currently accepting connections",
    ),
    Fault(
        "the database is damaged, because DROP DATABASE was interrupted",
        "Drop it, and create it again: DROP DATABASE {database};",
        r"cannot connect to invalid database",
    ),
    Fault(
        "the user may not connect to the database",
        "GRANT CONNECT ON DATABASE {database} TO {role};",
        r"permission denied for database",
    ),
    Fault(
        "all connections of the user are in use",
        f"Raise its limit, or use fewer connections: ALTER ROLE {{role}} CONNECTION LIMIT 50; {CONNECTIONS}",
        r"too many connections for role",
        is_temporary=True,
    ),
    Fault(
        "all connections of the database are in use",
        f"Raise its limit, or use fewer connections: ALTER DATABASE {{database}} CONNECTION LIMIT 50; {CONNECTIONS}",
        r"too many connections for database",
        is_temporary=True,
    ),
    Fault(
        "all connections of the server are in use",
        f"Raise max_connections in postgresql.conf and restart the server, or use fewer connections. {CONNECTIONS}",
        r"too many clients already|remaining connection slots are reserved|could not fork new process",
        is_temporary=True,
    ),
    Fault(
        "all connections of the connection pooler are in use",
        f"Raise its limits (PgBouncer: max_client_conn and default_pool_size), or use fewer connections. {CONNECTIONS}",
        r"no more connections allowed|max clients|max_client_conn|query_wait_timeout",
        is_temporary=True,
    ),
    Fault(
        "the server is starting up",
        "Wait until it has started, and run the command again.",
        r"the database system is (?:starting up|not yet accepting connections)",
        is_temporary=True,
    ),
    Fault(
        "the server is shutting down",
        "Wait until it has started again, and run the command again.",
        r"the database system is shutting down|terminating connection due to administrator command",
        is_temporary=True,
    ),
    Fault(
        "the server is recovering, or is a standby that accepts no connections",
        "Wait until it has recovered, or name the primary in the URL.",
        r"the database system is (?:in recovery mode|not accepting connections)",
        is_temporary=True,
    ),
    Fault(
        "no server of the URL accepts changes; each is a standby, or read-only",
        "Name the primary in the URL, or list all servers: postgresql://HOST1,HOST2/DATABASE?target_session_attrs=read-write.",
        r"session is read-only|server is in hot standby mode",
        is_temporary=True,
    ),
    Fault(
        "target_session_attrs of the URL asks for a standby",
        "Ratesgraph changes data: remove target_session_attrs, or set it to read-write.",
        r"session is not read-only|server is not in hot standby mode",
    ),
)
"""The server knows the database and the user, and refuses the connection."""

TLS_FAULTS = (
    Fault(
        "the URL requires TLS, and the server does not offer it",
        "Enable TLS on the server (ssl = on), or write sslmode=prefer in the URL if the network is trusted.",
        rf"server does not support {TLS}",
    ),
    Fault(
        "the server's certificate is for another host name",
        "Write the host name of the certificate in the URL, or sslmode=verify-ca.",
        r"server certificate for [^\n]* does not match host name",
    ),
    Fault(
        "the server's certificate is not trusted",
        "Name the certificate of its authority in the URL: sslrootcert=/path/ca.crt, or sslrootcert=system for a public one.",
        r"certificate verify failed",
    ),
    Fault(
        "the file with the certificates of trusted authorities cannot be read ({file})",
        "Name it in the URL: sslrootcert=/path/ca.crt, or sslrootcert=system for a public authority.",
        r"root certificate file \"(?P<file>[^\"\n]*)\"",
    ),
)

POOLER_FAULTS = (
    Fault(
        "the connection pooler does not accept the parameter {parameter}",
        "Remove it from the URL. Set a search_path on the role instead: ALTER ROLE {role} SET search_path = …; or let PgBouncer"
        " ignore the parameter (ignore_startup_parameters).",
        r"unsupported startup parameter(?: in options)?: (?P<parameter>[\w.]+)",
    ),
    Fault(
        "PgBouncer runs in statement mode, which allows no transactions",
        "Set pool_mode = transaction in PgBouncer, or connect to PostgreSQL itself.",
        r"transaction blocks not allowed in statement pooling mode",
    ),
    Fault(
        "PgBouncer cannot log in to PostgreSQL",
        "Read PgBouncer's log; correct its [databases] section or its auth_file.",
        r"server login (?:has been failing|failed)|pgbouncer cannot connect to server",
        is_temporary=True,
    ),
    Fault(
        "the connection pooler does not know the project or endpoint of this user",
        "Copy the connection string of the provider again. With Supabase the user is postgres.PROJECT; with Neon the host"
        " begins with the endpoint.",
        r"tenant or user not found|endpoint id is not specified",
    ),
)

URL_FAULTS = (
    Fault(
        "the parameter {parameter} of the URL has an invalid value",
        "Correct it as the documentation of libpq describes (Parameter Key Words).",
        r"invalid (?:integer value \"[^\"\n]*\" for connection option \")?(?P<parameter>\w+)(?:\"| value)",
    ),
    Fault(
        "the port of the URL is invalid", "Write a number from 1 to 65535; the default is 5432.", r"invalid port number"
    ),
    Fault(
        "the service of the URL is not defined",
        "Define it in ~/.pg_service.conf or in the file that PGSERVICEFILE names.",
        r"definition of service \"[^\n]*\" not found|service file",
    ),
    Fault(
        "the server does not accept the options of the URL ({reason})",
        "Correct options= in the URL; a search_path is written options=-csearch_path%3Dschema.",
        r"FATAL: +(?P<reason>unrecognized configuration parameter \"[^\"\n]*\"|invalid value for parameter \"[^\"\n]*\""
        r"|invalid command-line argument for server process|parameter \"[^\"\n]*\" cannot be [^\n]+"
        r"|permission denied to set parameter \"[^\"\n]*\")",
    ),
)

NETWORK_FAULTS = (
    Fault(
        "the host name cannot be resolved",
        "Correct the host in the URL, or the name server of this machine.",
        r"failed to resolve host|could not translate host name",
        is_temporary=True,
    ),
    Fault(
        "another program answers there, not PostgreSQL",
        "Correct host and port in the URL; the port of PostgreSQL is usually 5432.",
        rf"invalid response to {TLS} negotiation|expected authentication request from server",
    ),
    Fault(
        "connection refused; no PostgreSQL listens there",
        "Start the server, or correct host and port in the URL. A server on another machine needs listen_addresses = '*'.",
        r"connection refused",
        is_temporary=True,
    ),
    Fault(
        "its socket does not exist; no PostgreSQL listens there",
        "Start the server, or name its host or its socket folder in the URL: postgresql:///DATABASE?host=/var/run/postgresql.",
        r"no such file or directory",
        is_temporary=True,
    ),
    Fault(
        "this system user may not open the server's socket",
        "Grant access to the socket folder (unix_socket_permissions), or connect over TCP: postgresql://USER@localhost/DATABASE.",
        r"permission denied\b(?! for)",
    ),
    Fault(
        "the network does not lead there",
        "Check route and firewall. If the host has only an IPv6 address, this machine needs IPv6.",
        r"network is unreachable|no route to host|cannot assign requested address|address family not supported",
        is_temporary=True,
    ),
    Fault(
        "it does not answer in time",
        "Check host, port and firewall. A slow server needs connect_timeout=10 in the URL; the default is 2 seconds.",
        r"timeout|timed out",
        is_temporary=True,
    ),
    Fault(
        "the server closed the connection before it answered",
        "Check that host and port lead to PostgreSQL, and read the server's log.",
        r"server closed the connection unexpectedly|connection reset by peer|broken pipe|unexpected eof",
        is_temporary=True,
    ),
)

CONNECTION_FAULTS = (
    *REFUSED_LOGINS,
    *UNUSABLE_DATABASES,
    *TLS_FAULTS,
    *POOLER_FAULTS,
    *URL_FAULTS,
    *NETWORK_FAULTS,
)
"""All failures. The first that matches is stated: of several attempts, the one in which a server answered."""


class FoundFault(NamedTuple):
    """A recognised failure, with the fields of its message."""

    fault: Fault
    fields: dict[str, str]


def find_fault(message: str) -> FoundFault | None:
    """Return the failure that a message of libpq or of the server reports.

    Return None if it is not known.
    """
    for fault in CONNECTION_FAULTS:
        if found := re.search(fault.pattern, message, re.IGNORECASE | re.DOTALL):
            return FoundFault(fault, {name: text for name, text in found.groupdict().items() if text})
    return None
