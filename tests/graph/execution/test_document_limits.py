"""Document limits: a value at the limit is accepted, one above has the limit's error code."""

import time
from collections.abc import Iterator

import pytest
from graphql import GraphQLError, get_introspection_query

from graph.execution.document_cache import DocumentCache
from graph.execution.document_limits import QueryLimits, check_limits, parse_limited
from graph.execution.query_cost import SizeLimits
from graph.schema import schema
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.schema.documents import nest_fragments, repeat_field

LIMITS: Json = {
    "max_document_length": 2_000,
    "max_tokens": 300,
    "max_depth": 6,
    "max_fields": 50,
    "max_aliases": 10,
    "max_directives": 8,
}
BOMB_LEVELS = 95


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server with small limits, shared by the tests of the module."""
    with running_server(module_database_url, **LIMITS) as client:
        yield client


def nested(depth: int) -> str:
    """Return a query of the given depth."""
    return '{ region(slug: "x") ' + "{ parent " * (depth - 2) + "{ name }" + " }" * (depth - 2) + " }"


def sized(length: int) -> str:
    """Return a query of the given number of characters."""
    return "{ __typename }" + " " * (length - len("{ __typename }"))


OVER_AND_UNDER = [
    ("DOCUMENT_TOO_LONG", sized(2_001), sized(2_000)),
    ("TOO_MANY_TOKENS", repeat_field("a", 299), None),
    ("TOO_MANY_TOKENS", "{ __typename(" + "a: 1 " * 120 + ") }", None),
    ("TOO_MANY_TOKENS", "#\n" * 301 + "{ __typename }", "#\n" * 300 + "{ __typename }"),
    ("QUERY_TOO_DEEP", nested(7), nested(6)),
    (
        "QUERY_TOO_DEEP",
        '{ region(slug: "x") { ...a } } fragment a on Region ' + "{ parent " * 5 + "{ name }" + " }" * 5,
        None,
    ),
    ("QUERY_TOO_DEEP", "{a" * 45 + "}" * 45, None),
    ("TOO_MANY_FIELDS", repeat_field("__typename", 51), repeat_field("__typename", 50)),
    ("TOO_MANY_FIELDS", repeat_field("... { __typename }", 26), repeat_field("... { __typename }", 25)),
    ("TOO_MANY_FIELDS", nest_fragments("__typename", 5), nest_fragments("__typename", 3)),
    ("TOO_MANY_FIELDS", nest_fragments("", 5), None),
    ("TOO_MANY_ALIASES", repeat_field("a: __typename", 11), repeat_field("a: __typename", 10)),
    ("TOO_MANY_ALIASES", nest_fragments("a: __typename", 4), nest_fragments("a: __typename", 3)),
    (
        "TOO_MANY_DIRECTIVES",
        repeat_field("__typename @skip(if: false)", 9),
        repeat_field("__typename @skip(if: false)", 8),
    ),
    ("TOO_MANY_DIRECTIVES", "{ __typename " + "@unknown" * 9 + " }", None),
]


@pytest.mark.parametrize(("code", "over", "under"), OVER_AND_UNDER)
def test_document_limits_accept_a_document_at_each_limit_and_reject_one_above(
    client: Client, code: str, over: str, under: str | None
) -> None:
    assert client.fail(over)["extensions"] == {"code": code}
    if under is not None:
        assert client.ask(under)


def test_document_limits_report_every_exceeded_limit(client: Client) -> None:
    answer = client.post("{ " + "a: __typename " * 11 + nested(7)[1:])
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["QUERY_TOO_DEEP", "TOO_MANY_ALIASES"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ " + "#" * 100, "Document too long: 102 characters, limit 100."),
        ("{ a(b: " + "1" * 401 + ") }", "Number too long: 401 digits, limit 400."),
        ("{ a b c d e f g }", "Too many tokens: limit 6."),
    ],
)
def test_document_limits_error_of_the_parser_states_the_limit(document: str, message: str) -> None:
    limits = QueryLimits(max_length=100 if "#" in document else 1_000, max_tokens=6)
    with pytest.raises(GraphQLError) as raised:
        parse_limited(document, limits)
    assert raised.value.message == message


def test_document_limits_error_of_the_document_states_the_value_and_the_limit() -> None:
    limits = QueryLimits(max_depth=2, max_fields=3, max_aliases=1, max_directives=0)
    tree = parse_limited("{ a: b { c: d { e @f } } g }", limits)
    assert [error.message for error in check_limits(tree, limits)] == [
        "Query too deep: 3 levels, limit 2.",
        "Too many fields and fragment spreads, fragments expanded: 4, limit 3.",
        "Too many aliases: 2, limit 1.",
        "Too many directives: 1, limit 0.",
    ]
    (error,) = check_limits(parse_limited(nest_fragments("", 30), QueryLimits()), QueryLimits())
    assert error.message == "Too many fields and fragment spreads, fragments expanded: over 1,000,000, limit 400."


def test_document_limits_apply_to_each_operation_and_not_to_their_sum(client: Client) -> None:
    query = " ".join(f"query {name} {repeat_field('a: __typename', 8)}" for name in "AB")
    answer = client.http.post("/graphql", json={"query": query, "operationName": "A"}).json()
    assert answer == {"data": {"a": "Query"}}


@pytest.mark.parametrize("field", ["", "__typename", "a: __typename @skip(if: true)", "...f0"])
def test_document_limits_detect_a_fragment_bomb_within_50_ms(field: str) -> None:
    limits = QueryLimits(max_tokens=10_000)
    tree = parse_limited(nest_fragments(field, BOMB_LEVELS), limits)
    began = time.thread_time()
    excesses = check_limits(tree, limits)
    assert time.thread_time() - began < 0.05
    assert "TOO_MANY_FIELDS" in {error.extensions["code"] for error in excesses if error.extensions}


def test_document_limits_admit_the_full_introspection_query_by_default() -> None:
    query = get_introspection_query(
        schema_description=True, specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True
    )
    assert not check_limits(parse_limited(query, QueryLimits()), QueryLimits())


def test_document_validation_errors_are_capped_and_deterministic(client: Client) -> None:
    query = repeat_field("averagePrize", 40)
    first, second = client.post(query), client.post(query)
    assert first == second
    assert 1 < len(first["errors"]) < 10
    assert {error["extensions"]["code"] for error in first["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


def test_document_cache_stores_invalid_documents_without_evicting_valid_ones() -> None:
    documents = DocumentCache(schema._schema, QueryLimits(), SizeLimits(366, 100))
    sound = documents.get("{ __typename }")
    wrong = documents.get("{ averagePrize }")
    assert documents.get("{ averagePrize }") is wrong
    for number in range(2_000):
        assert isinstance(documents.get(f"{{ a{number} "), list)
    assert documents.get("{ averagePrize }") is not wrong
    assert documents.get("{ __typename }") is sound
