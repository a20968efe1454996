"""GraphQL clients for Python against a real server.

The scenario is that of the JavaScript clients. Each client has a virtual environment of its own, because some need another
version of graphql-core than the server. A further client needs its pins, `NAME-requirements.txt`, and a script,
`NAME_client.py`, in `python/`.
"""

from pathlib import Path

import pytest

from tests.support.clients import PAGES, REFUSED, check_results, open_world
from tests.support.code.source import ROOT
from tests.support.commands.installs import install_python, run_command

pytestmark = pytest.mark.slow

SOURCES = ROOT / "tests" / "clients" / "python"


def install_client(name: str) -> Path:
    """Install the packages of a client into a virtual environment.

    Return the folder with the scripts next to it. The test is skipped if the registry cannot be reached.
    """
    folder = install_python(SOURCES, f"python-{name}", f"{name}-requirements.txt")
    (folder / "schema.graphql").write_bytes((ROOT / "schema.graphql").read_bytes())
    return folder


def test_gql_reads_uploads_and_subscribes(database_url: str) -> None:
    folder = install_client("gql")
    with open_world(database_url) as url:
        output = run_command(folder, ".venv/bin/python", "gql_client.py", url)
    check_results(output, {"pages": PAGES, "refused": REFUSED})


def test_client_of_ariadne_codegen_reads_uploads_and_subscribes(database_url: str) -> None:
    folder = install_client("ariadne")
    run_command(folder, ".venv/bin/ariadne-codegen")
    with open_world(database_url) as url:
        output = run_command(folder, ".venv/bin/python", "ariadne_client.py", url)
    check_results(output, {"pages": PAGES})
