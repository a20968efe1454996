"""Audits of the npm package graphql-http, the reference for GraphQL over HTTP.

npm installs them into .bench/, which git ignores. The test is skipped without npm or a registry.
"""

import json

from tests.support.code.source import ROOT
from tests.support.commands.npm import install_scripts, run_script
from tests.support.fixtures.server import Json, running_server

AUDITS = 61


def test_graphql_over_http_audits_all_pass(module_database_url: str) -> None:
    scripts = install_scripts(ROOT / "tests" / "audit")
    # Four of the audits use introspection, which only the development profile permits.
    with running_server(module_database_url, profile="development") as client:
        results: list[Json] = json.loads(run_script(scripts, "audit.mjs", f"{client.http.base_url}/graphql"))
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
