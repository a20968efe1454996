"""Variable decoding in C: same items and same error messages as GraphQL's own coercion."""

import asyncio
from typing import Any

import pytest
import strawberry
from hypothesis import given
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from domain.batches import FileFormat
from graph.decoded_items import DecodedItems
from graph.execution import variable_decoding
from graph.execution.document_limits import QueryLimits
from graph.execution.executable_schema import Schema
from graph.execution.variable_decoding import MAX_COERCION_ERRORS, MAX_NAME_LENGTH, MAX_TEXT_LENGTH, MAX_VALUES
from graph.types.scalars import SCALARS
from graph.types.tree import PortInput, RegionInput, to_entries
from graph.types.uploads import PriceInput, UploadPricesInput, to_items
from resolvers.context import Limits
from resolvers.uploads.items import PriceItem, encode_items
from tests.support.contexts import ADMITTED
from tests.support.schema.stock_errors import describe_stock_errors
from tests.support.worlds import read_items

received: list[list[PriceItem]] = []
decoded_in_c: list[bool] = []


@strawberry.type
class Query:
    @strawberry.field
    def echo(self, codes: list[str] | None = None) -> int:
        return 0 if codes is None else len(codes)


@strawberry.type
class Mutation:
    @strawberry.mutation
    def upload(self, input: UploadPricesInput) -> int:  # noqa: A002
        return record_items(input.prices)

    @strawberry.mutation
    def add_regions(self, regions: list[RegionInput]) -> str:
        return repr(to_entries(regions))

    @strawberry.mutation
    def add_ports(self, ports: list[PortInput]) -> str:
        return repr(to_entries(ports))

    @strawberry.mutation
    def upload_list(self, prices: list[PriceInput]) -> int:
        return record_items(prices)


def record_items(prices: list[PriceInput]) -> int:
    """Record the received items, and whether they were decoded in C."""
    decoded_in_c.append(isinstance(prices[0].price, DecodedItems) if prices else False)
    received.append(to_items(prices))
    return len(received[-1])


CONFIG = StrawberryConfig(scalar_map=SCALARS)
FAST = Schema(query=Query, mutation=Mutation, config=CONFIG)
SLOW = strawberry.Schema(Query, Mutation, config=CONFIG)
INPUT = "mutation ($input: UploadPricesInput!) { upload(input: $input) }"
LIST = "mutation ($prices: [PriceInput!]!) { uploadList(prices: $prices) }"
PARTS = "mutation ($prices: [PriceInput!]!) { upload(input: { prices: $prices }) }"
MAX_ERRORS = QueryLimits().max_errors
GOOD = {"dateFrom": "2024-01-01", "origin": "A", "destination": "B", "price": 1}

texts = st.text(max_size=5)
anything = st.one_of(
    texts, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
    st.just([1]), st.just({}),
)  # fmt: skip
good_items = st.fixed_dictionaries(
    {
        "dateFrom": texts,
        "origin": texts,
    },
    optional={
        "destination": texts | st.none(),
        "price": texts | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        "dateTo": texts | st.none(),
        "currency": texts | st.none(),
    },
)
odd_items = st.dictionaries(st.sampled_from([*GOOD, "dateTo", "currency", "other"]), anything, max_size=7)


def execute(schema: strawberry.Schema, query: str, variables: dict[str, object]) -> tuple[object, list[str]]:
    """Return the items as the engine reads them, and the error messages."""
    received.clear()
    result = asyncio.run(schema.execute(query, variables, ADMITTED))
    assert isinstance(result, ExecutionResult)
    errors = describe_stock_errors(query, variables, result.errors or []) if schema is SLOW else result.errors or []
    rows = read_items(encode_items(received[0]), FileFormat.NDJSON).rows() if received and received[0] else []
    return [as_numbers(row) for row in rows], [error.message for error in errors]


def as_numbers(row: tuple[object, ...]) -> tuple[object, ...]:
    """Return the row with its price as a number if possible: 1e24 has several spellings."""
    *before, price, currency = row
    try:
        return (*before, float(str(price)), currency)
    except ValueError:
        return row


@given(st.lists(st.one_of(good_items, odd_items), min_size=1, max_size=4))
def test_variable_decoding_matches_standard_coercion_in_items_and_errors(values: list[dict[str, object]]) -> None:
    for query, variables in (
        (INPUT, {"input": {"prices": values}}),
        (LIST, {"prices": values}),
        (PARTS, {"prices": values}),
    ):
        assert execute(FAST, query, dict(variables)) == execute(SLOW, query, dict(variables))


def execute_tree_change(schema: strawberry.Schema, query: str, values: object) -> tuple[object, list[str]]:
    """Return the data and the error messages."""
    variables: dict[str, Any] = {"values": values}
    result = asyncio.run(schema.execute(query, variables, ADMITTED))
    assert isinstance(result, ExecutionResult)
    errors = describe_stock_errors(query, variables, result.errors or []) if schema is SLOW else result.errors or []
    return result.data, [error.message for error in errors]


REGIONS = "mutation ($values: [RegionInput!]!) { addRegions(regions: $values) }"
PORTS = "mutation ($values: [PortInput!]!) { addPorts(ports: $values) }"
KEYS = {REGIONS: "slug", PORTS: "code"}
good_locations = st.fixed_dictionaries({"key": texts, "name": texts, "parentSlug": texts})
odd_locations = st.dictionaries(st.sampled_from(["key", "name", "parentSlug", "other"]), anything, max_size=4)


@given(st.lists(st.one_of(good_locations, odd_locations), max_size=6), st.sampled_from([REGIONS, PORTS]))
def test_decoding_of_locations_matches_standard_coercion(values: list[dict[str, object]], query: str) -> None:
    sent = [{KEYS[query] if name == "key" else name: value for name, value in each.items()} for each in values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variable_decoding, "CHUNK_ITEMS", 2)
        assert execute_tree_change(FAST, query, sent) == execute_tree_change(SLOW, query, sent)


def test_ten_thousand_locations_are_within_the_limit_of_values() -> None:
    regions = [{"slug": f"a{number}", "name": "A", "parentSlug": None} for number in range(10_000)]
    data, errors = execute_tree_change(FAST, REGIONS, regions)
    assert errors == []
    assert data == {"addRegions": repr([(each["slug"], "A", None) for each in regions])}
    regions[5_000]["name"] = None
    message = (
        "Variable '$values' has invalid value at [5000].name: Expected value of non-null type 'String!' not to be null."
    )
    assert execute_tree_change(FAST, REGIONS, regions) == (None, [message])


@given(st.lists(good_items, min_size=1, max_size=4))
def test_variable_decoding_decodes_valid_items_in_c(values: list[dict[str, object]]) -> None:
    for query, variables in ((INPUT, {"input": {"prices": values}}), (LIST, {"prices": values})):
        decoded_in_c.clear()
        execute(FAST, query, dict(variables))
        assert decoded_in_c == [True]


@given(st.lists(st.one_of(st.just(GOOD), good_items, odd_items), min_size=4, max_size=12), st.integers(1, 4))
def test_long_list_with_invalid_items_matches_standard_coercion(values: list[dict[str, object]], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variable_decoding, "CHUNK_ITEMS", chunk)
        for query, variables in ((INPUT, {"input": {"prices": values}}), (LIST, {"prices": values})):
            assert execute(FAST, query, dict(variables)) == execute(SLOW, query, dict(variables))


@pytest.mark.parametrize("invalid", [1, 49, 50, 51, 52, 120])
@pytest.mark.parametrize("distance", [1, 7, 300])
def test_errors_of_a_long_list_name_the_items_as_sent_up_to_the_limit(invalid: int, distance: int) -> None:
    wrong = {**GOOD, "price": True}
    values = [wrong if index % distance == 0 else GOOD for index in range(invalid * distance)]
    items, errors = execute(FAST, LIST, {"prices": values})
    assert items == []
    listed = [
        f"Variable '$prices' has invalid value at [{number * distance}].price:"
        " A price must be a number or a decimal string."
        for number in range(min(invalid, MAX_ERRORS))
    ]
    assert errors == [*listed, *(["1 more errors omitted."] if invalid > MAX_ERRORS else [])]


def test_items_beyond_too_many_invalid_ones_are_never_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    # The decoder refuses what the coercion accepts. That must not shorten an upload.
    decoder = variable_decoding.DECODERS["[PriceInput]"]._replace(decode=lambda _values: None)
    monkeypatch.setitem(variable_decoding.DECODERS, "[PriceInput]", decoder)
    items, errors = execute(FAST, LIST, {"prices": [GOOD] * (MAX_ERRORS + 1)})
    expected = (GOOD["origin"], GOOD["destination"], GOOD["dateFrom"], None, 1.0, "USD")
    assert items == [(number, *expected) for number in range(1, MAX_ERRORS + 2)]
    assert errors == []
    items, errors = execute(FAST, LIST, {"prices": [GOOD] * (MAX_ERRORS + 2)})
    assert items == []
    assert errors


@pytest.mark.parametrize(
    ("query", "variables", "limit"),
    [
        ("query ($codes: [String!]) { echo(codes: $codes) }", {"codes": ["A"] * MAX_VALUES}, "2,000"),
        ("query ($codes: [String!]) { echo(codes: $codes) }", {"codes": [["A"]] * (MAX_VALUES // 2)}, "2,000"),
        (LIST, {"prices": [{"other": [1] * MAX_VALUES}]}, "2,000"),
    ],
)
def test_variables_with_too_many_values_are_refused(query: str, variables: dict[str, object], limit: str) -> None:
    assert execute(FAST, query, variables) == (
        [],
        [f"The variables have more than {limit} values; split the request."],
    )


@pytest.mark.parametrize("codes", ["A" * (MAX_TEXT_LENGTH + 1), ["A", "A" * (MAX_TEXT_LENGTH + 1)]])
def test_variables_with_too_long_a_text_are_refused(codes: object) -> None:
    query = "query ($codes: [String!]) { echo(codes: $codes) }"
    assert execute(FAST, query, {"codes": codes}) == ([], ["Text too long: 100,001 characters, limit 100,000."])


@pytest.mark.parametrize("field", ["slug", "name", "parentSlug"])
def test_location_with_too_long_a_text_is_refused(field: str) -> None:
    regions = [{"slug": "a", "name": "A"}, {"slug": "b", "name": "B", field: "A" * (MAX_TEXT_LENGTH + 1)}]
    message = "Text too long: 100,001 characters, limit 100,000."
    assert execute_tree_change(FAST, REGIONS, regions) == (None, [message])
    regions[1][field] = "A" * MAX_TEXT_LENGTH
    assert execute_tree_change(FAST, REGIONS, regions)[1] == []


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (LIST, {"prices": [GOOD, {"a" * (MAX_NAME_LENGTH + 1): 1}]}),
        (INPUT, {"input": {"prices": [GOOD], "a" * (MAX_NAME_LENGTH + 1): 1}}),
    ],
)
def test_variables_with_too_long_a_field_name_are_refused(query: str, variables: dict[str, object]) -> None:
    assert execute(FAST, query, variables) == ([], ["Field name too long: 1,001 characters, limit 1,000."])


def test_many_invalid_items_are_reported_if_a_response_may_list_more_errors() -> None:
    schema = FAST.with_limits(QueryLimits(max_errors=1_000), Limits(), suggest=True)
    wrong = {**GOOD, "price": True, "dateTo": None, "currency": None}
    items, errors = execute(schema, LIST, {"prices": [GOOD, wrong] * 1_000})
    assert items == []
    assert errors == [
        *(
            f"Variable '$prices' has invalid value at [{number}].price: A price must be a number or a decimal string."
            for number in range(1, 2 * MAX_COERCION_ERRORS, 2)
        ),
        "Too many errors processing variables, error limit reached. Execution aborted.",
    ]


def test_variables_within_the_limit_and_undeclared_ones_are_coerced() -> None:
    query = "query ($codes: [String!]) { echo(codes: $codes) }"
    assert execute(FAST, query, {"codes": ["A"] * (MAX_VALUES - 1), "others": [1] * MAX_VALUES}) == ([], [])


def test_variable_decoding_falls_back_for_literals_and_malformed_variables() -> None:
    literal = 'mutation { upload(input: { prices: [{ dateFrom: "2024-01-01", origin: "A", destination: "B", price: 1.50 }] }) }'
    items, errors = execute(FAST, literal, {})
    assert (items, errors) == ([(1, "A", "B", "2024-01-01", None, 1.5, "USD")], [])
    assert execute(FAST, INPUT, {"input": {"prices": []}}) == ([], [])
    wrongs: tuple[object, ...] = (
        None,
        [],
        "x",
        {"prices": None},
        {"prices": 1},
        {"prices": [None]},
        {"prices": [[GOOD]]},
    )
    for wrong in wrongs:
        assert execute(FAST, INPUT, {"input": wrong}) == execute(SLOW, INPUT, {"input": wrong})


def test_variable_decoding_supports_one_variable_in_two_fields() -> None:
    query = "mutation ($input: UploadPricesInput!) { a: upload(input: $input) b: upload(input: $input) }"
    execute(FAST, query, {"input": {"prices": [GOOD, GOOD]}})
    assert [len(items) for items in received] == [2, 2]
