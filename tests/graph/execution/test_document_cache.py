"""Document cache: its two bounds, and the facts derived from a document before execution."""

import pytest
from graphql import FieldNode

from graph.execution.document_cache import Document, DocumentCache, TextCache
from graph.execution.document_limits import QueryLimits
from graph.execution.query_cost import SizeLimits
from graph.schema import schema

ARGUMENTS = '(dateFrom: "2024-01-01", dateTo: "2024-01-03", origin: "a", destination: "b")'


def test_text_cache_evicts_the_least_recently_used_entry_above_its_entry_limit() -> None:
    cache = TextCache[int](2, 100)
    cache["a"], cache["b"] = 1, 2
    assert cache["a"] == 1
    cache["c"] = 3
    assert set(cache) == {"a", "c"}


def test_text_cache_evicts_least_recently_used_entries_above_its_character_limit() -> None:
    cache = TextCache[int](100, 10)
    cache["aaaa"], cache["bbbb"] = 1, 2
    cache["aaaa"] = 3
    cache["ccccc"] = 4
    assert set(cache) == {"aaaa", "ccccc"}
    cache["d"] = 5
    assert set(cache) == {"aaaa", "ccccc", "d"}
    assert cache["aaaa"] == 3


def test_text_cache_does_not_store_a_text_longer_than_half_of_its_character_limit() -> None:
    cache = TextCache[int](100, 10)
    cache["a"], cache["bbbbbb"] = 1, 2
    assert set(cache) == {"a"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"{{ averagePrices{ARGUMENTS} {{ day averagePrice }} }}", []),
        (f"{{ averagePrices{ARGUMENTS} {{ day lowPrice }} }}", ["averagePrices"]),
        (f"{{ a: averagePrices{ARGUMENTS} {{ day }} b: averagePrices{ARGUMENTS} {{ x: medianPrice }} }}", ["b"]),
        (f"{{ ...Root }} fragment Root on Query {{ c: averagePrices{ARGUMENTS} {{ ... {{ highPrice }} }} }}", ["c"]),
        (f"{{ averagePrices{ARGUMENTS} {{ ...Day }} }} fragment Day on DailyAverage {{ lowPrice }}", ["averagePrices"]),
        (f"{{ averagePrices{ARGUMENTS} {{ lowPrice: averagePrice }} }}", []),
        ('{ region(slug: "x") { name } }', []),
    ],
)
def test_document_cache_finds_the_fields_that_select_statistics(query: str, expected: list[str]) -> None:
    document = DocumentCache(schema._schema, QueryLimits(), SizeLimits(366, 100)).get(query)
    assert isinstance(document, Document), document
    (operation,) = document.operations.values()
    # The response name of each root field, by the ID of its node.
    names = {
        id(node): node.alias.value if node.alias else node.name.value
        for definition in document.tree.definitions
        for node in definition.selection_set.selections  # type: ignore[attr-defined]
        if isinstance(node, FieldNode)
    }
    assert [names[node_id] for node_id in operation.statistics_fields] == expected
