"""Sources of the pages: types agree, and the generated documents with the schema."""

from pathlib import Path

import pytest

from tests.support.code.source import ROOT
from tests.support.commands.npm import run_tool

pytestmark = pytest.mark.slow


def test_page_sources_have_no_type_errors(explorer_packages: Path) -> None:
    run_tool(explorer_packages, "tsc", "--noEmit")


def test_generated_documents_agree_with_schema_and_operations(explorer_packages: Path) -> None:
    # The configuration reads the schema from the folder above.
    (explorer_packages.parent / "schema.graphql").write_bytes((ROOT / "schema.graphql").read_bytes())
    run_tool(explorer_packages, "graphql-codegen", "--config", "codegen.ts")
    committed = {path.name: path.read_text() for path in (ROOT / "explorer" / "src" / "gql").iterdir()}
    generated = {path.name: path.read_text() for path in (explorer_packages / "src" / "gql").iterdir()}
    assert generated == committed, "run `npm run codegen` in explorer/"
