"""GraphQL clients for JavaScript against a real server.

They run queries, pages, mutations, uploads, subscriptions and errors. Each client has a script in `javascript/`, which runs
the operations of `scenario.mjs` and prints what the client returned. A further client needs its package in `package.json`,
`npm install` in that folder for the lock file, its script, and an entry in `CLIENTS`. The documentation of clients shows
parts of these scripts.
"""

import json
import shutil
from pathlib import Path

import pytest
from graphql import GraphQLObjectType, build_schema, get_named_type

from tests.support.clients import APPLIED, LOCATIONS, PAGES, REFUSED, check_results, open_world
from tests.support.code.source import ROOT
from tests.support.commands.npm import install_scripts, run_script, run_tool
from tests.support.fixtures.server import Json

pytestmark = pytest.mark.slow

JSON_TYPE = "application/graphql-response+json"
POST = ["POST", JSON_TYPE, False]
URQL = {
    "pages": PAGES,
    "refused": REFUSED,
    # Method, media type and whether there is an ETag: three operations, the subscription, a query by GET, the others.
    "statuses": [POST, POST, POST, ["POST", "text/event-stream", False], ["GET", JSON_TYPE, True], *[POST] * 8],
}
ENTRIES: dict[str, list[Json]] = {
    "locations": [{"key": key} for key in LOCATIONS],
    "batches": [{"number": number} for number in (3, 2, 1)],
    "lanes": [{"origin": {"code": code}} for code in ("NLRTM", "CNSGH")],
    "rejections": [{"item": item, "code": "UNKNOWN_PORT"} for item in (3, 4)],
}
"""Entries of each connection of the schema, as Relay pages through it one by one."""
CONNECTIONS = {name: {"forward": entries, "backward": entries} for name, entries in ENTRIES.items()}
RELAY = {"cached": "REVERTED", "unexpected": 0, "connections": CONNECTIONS}
CLIENTS: dict[str, Json] = {
    "urql.mjs urql-core-5": URQL,
    "urql.mjs @urql/core": URQL,
    "graphcache.mjs": {
        "merged": LOCATIONS,
        "cached": "REVERTED",
        "refused": REFUSED,
        # The client sends the text of an unknown hash by GET as well; Apollo Client sends it by POST.
        "sentByGet": ["hash", "text"],
    },
    "apollo.mjs": {
        "pages": PAGES,
        "merged": LOCATIONS,
        "cached": "REVERTED",
        "refused": REFUSED,
        "sentByGet": ["hash"],
        "malformed": [["GRAPHQL_PARSE_FAILED", None]],
        "unnamed": [{"kind": "Query"}],
        # The socket of the subscription was closed after it; both operations share the next one.
        "connections": 1,
    },
    "graphql-request.mjs": {"pages": PAGES, "refused": REFUSED},
    "relay.mjs __generated__": RELAY,
    "built/typed/client.js text": {"pages": PAGES},
}
"""Script of each client with its arguments, and the results that it has in addition to those of all clients.

`merged` and `cached` need a normalized cache. A compiler prevents `refused`.
"""


@pytest.fixture(scope="module")
def scripts() -> Path:
    """Return the folder of the scripts, with installed packages and compiled documents."""
    folder = install_scripts(ROOT / "tests" / "clients" / "javascript")
    (folder / "schema.graphql").write_bytes((ROOT / "schema.graphql").read_bytes())
    # The compiler adds a document to the manifest only when it writes the document's artifact.
    (folder / "relay" / "persisted.json").write_text("{}")
    for documents, config in (("__generated__", "relay.config.json"), ("registered", "relay.registered.config.json")):
        shutil.rmtree(folder / "relay" / documents, ignore_errors=True)
        (folder / "relay" / documents).mkdir()
        run_tool(folder, "relay-compiler", config)
    run_tool(folder, "graphql-codegen")
    run_tool(folder, "tsc", "--project", "typed")
    return folder


def check_client(scripts: Path, url: str, client: str, additional: Json) -> None:
    """Run the script of a client and compare its results."""
    name, *arguments = client.split()
    check_results(run_script(scripts, name, url, *arguments), additional)


@pytest.mark.parametrize(("client", "additional"), CLIENTS.items(), ids=CLIENTS)
def test_client_reads_uploads_and_subscribes(scripts: Path, database_url: str, client: str, additional: Json) -> None:
    with open_world(database_url) as url:
        check_client(scripts, url, client, additional)


@pytest.mark.parametrize(
    ("client", "manifest", "additional"),
    [
        ("built/typed/client.js registered", "typed/gql/persisted-documents.json", {"pages": PAGES}),
        ("relay.mjs registered", "relay/persisted.json", RELAY),
    ],
    ids=["graphql-codegen", "relay-compiler"],
)
def test_manifest_of_a_compiler_registers_its_documents(
    scripts: Path, database_url: str, client: str, manifest: str, additional: Json
) -> None:
    with open_world(database_url, {"documents_dir": scripts / manifest, "persisted_only": True}) as url:
        check_client(scripts, url, client, additional)


def test_page_behind_vite_uploads_and_subscribes(scripts: Path, database_url: str) -> None:
    with open_world(database_url) as url:
        results = json.loads(run_script(scripts, "vite.mjs", url))
    finished = [{"status": "APPLIED", "progress": 1}]
    assert results == {"sent": APPLIED, "overEvents": finished, "overSocket": finished}


def test_relay_pages_every_connection_of_the_schema() -> None:
    types = build_schema((ROOT / "schema.graphql").read_text()).type_map.values()
    objects = [type_ for type_ in types if isinstance(type_, GraphQLObjectType)]
    connections = {
        name
        for type_ in objects
        for name, field in type_.fields.items()
        if str(get_named_type(field.type)).endswith("Connection")
    }
    assert connections == CONNECTIONS.keys()
