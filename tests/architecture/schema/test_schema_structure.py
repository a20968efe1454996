"""Guard of the published schema structure, which changes only on purpose.

`schema_structure.graphql` contains the published structure: types, fields, arguments, default values, nullability,
enum values, interfaces, directives and deprecations, but no descriptions. Clients rely on it. A deliberate change
updates the file in the same commit.
"""

from typing import Any

import pytest
from graphql import Node, Visitor, parse, print_ast, visit

from graph.schema import schema
from tests.support.code.source import ROOT

PUBLISHED = ROOT / "tests" / "architecture" / "schema" / "schema_structure.graphql"

BARE = """
type A implements B { b(c: [Int!]! = [1]): D @deprecated(reason: "old") }
interface B { b(c: [Int!]! = [1]): D }
enum D { E F }
input G @oneOf { h: Int }
scalar I @specifiedBy(url: "i")
directive @tag(name: String!) on OBJECT
schema { query: A }
"""
DESCRIBED = """
"A type." type A implements B { "A field." b("An argument." c: [Int!]! = [1]): D @deprecated(reason: "old") }
"An interface." interface B { b(c: [Int!]! = [1]): D }
"An enum." enum D { "A value." E F }
"An input." input G @oneOf { "An input field." h: Int }
"A scalar." scalar I @specifiedBy(url: "i")
"A directive." directive @tag("An argument." name: String!) on OBJECT
"A schema." schema { query: A }
"""


class DescriptionRemover(Visitor):
    """Visitor that removes the description of each node that can have one."""

    def enter(self, node: Node, *_: Any) -> Node | None:  # noqa: ANN401
        """Return the node without its description, or None to leave it as it is."""
        if getattr(node, "description", None) is None:
            return None
        return type(node)(**{key: getattr(node, key) for key in node.keys if key != "description"})


def structure_of(sdl: str) -> str:
    """Return the SDL without descriptions, in canonical form."""
    return f"{print_ast(visit(parse(sdl), DescriptionRemover()))}\n"


def test_schema_has_the_published_structure() -> None:
    assert structure_of(schema.as_str()).splitlines() == PUBLISHED.read_text(encoding="utf-8").splitlines()


def test_schema_structure_ignores_descriptions() -> None:
    assert structure_of(DESCRIBED) == structure_of(BARE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("b(c", "x(c"),
        ("c: [Int!]!", "x: [Int!]!"),
        ("[Int!]!", "[Int]!"),
        ("= [1]", "= [2]"),
        (' @deprecated(reason: "old")', ""),
        ("implements B", ""),
        ("E F", "E"),
        ("@oneOf", ""),
        ('@specifiedBy(url: "i")', ""),
        ("on OBJECT", "on FIELD"),
        ("query: A", "query: A mutation: A"),
    ],
)
def test_schema_structure_detects_every_other_change(old: str, new: str) -> None:
    assert structure_of(BARE.replace(old, new, 1)) != structure_of(BARE)
