"""Worst-case documents against a server process: each is rejected or executed quickly."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.hostile import Target, check_quick, error_codes
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.schema.documents import nest_fragments, repeat_field
from tests.support.waiting import DEADLINE_SECONDS

ALIASES = " ".join(f"a{number}: __typename" for number in range(1_000))
LEVELS = 95
DOCUMENTS = {
    "a fragment bomb": (nest_fragments("__typename", LEVELS), "TOO_MANY_FIELDS"),
    "a bomb of empty fragments": (nest_fragments("", LEVELS), "TOO_MANY_FIELDS"),
    "a fragment cycle": (nest_fragments("...f0", LEVELS), "TOO_MANY_FIELDS"),
    "a long fragment cycle": (
        "{ ...f0 } " + " ".join(f"fragment f{n} on Query {{ ...f{(n + 1) % 90} }}" for n in range(90)),
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "1,000 aliases": (f"{{ {ALIASES} }}", "TOO_MANY_TOKENS"),
    "200 aliases": (f"{{ {ALIASES[: ALIASES.index('a200')]} }}", "TOO_MANY_ALIASES"),
    "a depth of 10,000": ("{a" * 10_000 + "}" * 10_000, "QUERY_TOO_DEEP"),
    "a depth of 300": ("{a" * 300 + "}" * 300, "QUERY_TOO_DEEP"),
    "a value nested 450 deep": ("{ a(b: " + "[" * 450 + "]" * 450 + ") }", "QUERY_TOO_DEEP"),
    "only braces": ("{" * 49_000, "GRAPHQL_PARSE_FAILED"),
    "90 kB of blanks": ("{ __typename }" + " " * 90_000, "DOCUMENT_TOO_LONG"),
    "90 kB of fields": ("{" + "__typename " * 8_100 + "}", "DOCUMENT_TOO_LONG"),
    "5 MB of blanks": ("{ __typename }" + " " * 5_000_000, "PAYLOAD_TOO_LARGE"),
    "5 MB of fields": ("{" + "__typename " * 450_000 + "}", "PAYLOAD_TOO_LARGE"),
    "a long comment": ("#" + "x" * 49_000 + "\n{ __typename }", None),
    "many comments": ("#\n" * 24_000 + "{ __typename }", "TOO_MANY_TOKENS"),
    "a long block string": ('{ location(key: """' + "\n " * 24_000 + '""") { key } }', None),
    "a string of escapes": ('{ location(key: "' + "\\u0041" * 8_000 + '") { key } }', None),
    "the same field up to the limit": (repeat_field("__typename", 400), None),
    "the same field above the limit": (repeat_field("__typename", 401), "TOO_MANY_FIELDS"),
    "fields that could clash": (repeat_field('region(slug: "a") { name }', 100), None),
    "misspelt fields": (repeat_field("avragePrises", 390), "GRAPHQL_VALIDATION_FAILED"),
    "misspelt long field": ("{ " + "averagePrices" * 9 + " }", "GRAPHQL_VALIDATION_FAILED"),
    "a name of 39,000 characters": ("{ " + "averagePrices" * 3_000 + " }", "NAME_TOO_LONG"),
    "unknown directives": ("{ __typename " + "@a" * 480 + " }", "TOO_MANY_DIRECTIVES"),
    "cyclic introspection": (
        "{ __schema { types " + "{ fields { type " * 5 + "{ name }" + "} }" * 5 + " } }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "many operations": (" ".join(f"query a{n} {{ __typename }}" for n in range(190)), "UNKNOWN_OPERATION"),
    "a number of 5,000 digits": (f"{{ locations(first: {'9' * 5_000}) {{ totalCount }} }}", "GRAPHQL_PARSE_FAILED"),
    "a number of 400 digits": (f"{{ locations(first: {'9' * 400}) {{ totalCount }} }}", "GRAPHQL_VALIDATION_FAILED"),
    "an escaped surrogate": ('{ location(key: "\\ud800") { key } }', "GRAPHQL_PARSE_FAILED"),
    "an escaped NUL": ('{ location(key: "\\u0000") { key } }', None),
    "a NUL": ("{ \0 }", "GRAPHQL_PARSE_FAILED"),
    "averages of a thousand years": (
        '{ averagePrices(dateFrom: "1000-01-01", dateTo: "1999-12-31", origin: "a", destination: "b") { day } }',
        "DATE_RANGE_TOO_LONG",
    ),
    "long aliases of ten years": (
        '{ averagePrices(dateFrom: "2014-01-01", dateTo: "2023-12-31", origin: "a", destination: "b") { '
        + " ".join(f"{'x' * 126}{number}: averagePrice" for number in range(10, 69))
        + " } }",
        "RESPONSE_TOO_LARGE",
    ),
    "nested lists in pages": (
        "{ locations(first: 500) { edges { node { ancestors { ancestors { ancestors { key } } } } } } }",
        "QUERY_TOO_COSTLY",
    ),
}


@pytest.fixture(scope="module")
def target(module_database_url: str) -> Iterator[Target]:
    """A read-only server process, shared by the tests of the module."""
    with serving(module_database_url) as (process, url), httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as http:
        wait_until_answered(url)
        yield Target(url, process.pid, http)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_hostile_document_is_processed_quickly_with_the_expected_error_code(target: Target, name: str) -> None:
    document, code = DOCUMENTS[name]
    response = check_quick(target, lambda: target.post({"query": document}))
    assert error_codes(response) == ({code} if code else set())


def test_hostile_documents_do_not_leak_memory(target: Target) -> None:
    def send_all() -> None:
        for number in range(20):
            for document, _ in DOCUMENTS.values():
                assert target.post({"query": f"{document}#{number}"}).status_code < 500

    send_all()
    before = target.memory()
    send_all()
    assert target.memory() < before + 50_000_000
