"""Decoding of uploaded items and locations by msgspec before execution.

graphql-core coerces every item of a list of input objects field by field in Python. For 10,000 items, this blocks the event
loop for 1.0 s. Therefore lists of prices, ports and regions among the variables are decoded by msgspec, in C. A run of valid
items becomes one item, a field of which carries the decoded items. Only invalid items are left to GraphQL's own coercion and
its errors, and at most as many as a response lists errors. All other variables are coerced by graphql-core, up to a number of
values.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from graphql import (
    GraphQLError,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    TypeNode,
)

from domain.locations import LocationKind
from graph.decoded_items import CondensedItems, DecodedItems, DecodedLocations
from resolvers.tree import MAX_LOCATION_TEXT, TreeItem, decode_locations
from resolvers.uploads.items import PriceItem, decode_items

CHUNK_ITEMS = 256
"""Items that are decoded at once in a list with an invalid one. A chunk with an invalid item is halved until it is found."""
MAX_VALUES = 2_000
"""Maximum number of values among the variables, valid items aside, which graphql-core coerces in Python: 20 ms.

100 lanes have 300: an object with two fields each.
"""
MAX_COERCION_ERRORS = 50
"""Errors after which graphql-core stops the coercion, even if a response may list more. Fifty items have 500 values."""
MAX_NAME_LENGTH = 1_000
"""Maximum characters of a field name among the variables.

graphql-core splits an unknown name into its characters to find similar ones: 30 MB need 5 s and a gigabyte.
"""
MAX_TEXT_LENGTH = MAX_LOCATION_TEXT
"""Maximum characters of a text among the variables, apart from valid prices.

Resolvers look at a text once for each field that receives it. Callers without the upload scope cannot send a longer one.
"""
NOT_DECODED = object()
"""Stands for the rest of a list after too many invalid items. No coercion accepts it."""


def decode_variables(
    operation: OperationDefinitionNode, variables: dict[str, Any], max_errors: int
) -> dict[str, Any] | GraphQLError:
    """Return the declared variables of the operation with lists of items decoded.

    Return an error (TOO_MANY_VALUES, TEXT_TOO_LONG) if their coercion or use would block the event loop.

    Args:
        max_errors: Number of errors that a response lists. Decoding of a list stops after more invalid items than that.
    """
    decoded = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in variables:
            decoded[name] = _decode_variable(_type_name(definition.type), variables[name], max_errors)
    return _find_excess(decoded) or decoded


def _type_name(node: TypeNode) -> str:
    """Return the name of a type, with brackets around the name of a list's entries."""
    match node:
        case NonNullTypeNode():
            return _type_name(node.type)
        case ListTypeNode():
            return f"[{_type_name(node.type)}]"
        case NamedTypeNode():
            return node.name.value
    raise TypeError(node)


def _decode_variable(type_name: str, value: object, max_errors: int) -> object:
    """Return the value of a variable with its list of items decoded, or unchanged."""
    match type_name, value:
        case "UploadPricesInput", {"prices": [_, *_] as prices}:
            return {**value, "prices": _condense(DECODERS["[PriceInput]"], prices, max_errors)}  # type: ignore[dict-item]
        case "[PriceInput]" | "[RegionInput]" | "[PortInput]", [_, *_] as items:
            return _condense(DECODERS[type_name], items, max_errors)
    return value


class ItemDecoder(NamedTuple):
    """Decoder of the lists of an input type.

    `decode` returns the items, or None if one of them is invalid. `wrap` returns an input object that carries them.
    """

    decode: Callable[[Sequence[object]], list[Any] | None]
    wrap: Callable[[list[Any]], dict[str, object]]


def _wrap_prices(decoded: list[PriceItem]) -> dict[str, object]:
    """Return an input object that carries the decoded prices."""
    return {"price": DecodedItems(decoded)}


def _wrap_locations(key: str, decoded: list[TreeItem]) -> dict[str, object]:
    """Return an input object that carries the decoded locations."""
    return {key: "", "name": DecodedLocations(decoded), "parentSlug": ""}


DECODERS = {
    "[PriceInput]": ItemDecoder(decode_items, _wrap_prices),
    "[RegionInput]": ItemDecoder(partial(decode_locations, LocationKind.REGION), partial(_wrap_locations, "slug")),
    "[PortInput]": ItemDecoder(partial(decode_locations, LocationKind.PORT), partial(_wrap_locations, "code")),
}
"""Decoders by the type of a variable."""


def _condense(decoder: ItemDecoder, values: Sequence[object], max_errors: int) -> CondensedItems:
    """Return the list with its runs of valid items decoded."""
    condensed = CondensedItems()
    if (decoded := decoder.decode(values)) is not None:
        condensed.add(0, decoder.wrap(decoded))
        return condensed
    run: list[object] = []
    count_of_invalid = 0
    for position, decoded in _decode_in_chunks(decoder, values):
        if decoded is not None:
            run += decoded
            continue
        if run:
            condensed.add(position - len(run), decoder.wrap(run))
            run = []
        # The list keeps one invalid item more than the limit, so that the response says that there are further errors.
        if count_of_invalid > min(max_errors, MAX_COERCION_ERRORS):
            condensed.add(position, NOT_DECODED)
            return condensed
        condensed.add(position, values[position])
        count_of_invalid += 1
    if run:
        condensed.add(len(values) - len(run), decoder.wrap(run))
    return condensed


def _decode_in_chunks(decoder: ItemDecoder, values: Sequence[object]) -> Iterator[tuple[int, list[Any] | None]]:
    """Yield the index of each part of the list and its items; None stands for one invalid item."""
    for start in range(0, len(values), CHUNK_ITEMS):
        yield from _decode_parts(decoder, values, start, min(start + CHUNK_ITEMS, len(values)))


def _decode_parts(
    decoder: ItemDecoder, values: Sequence[object], start: int, stop: int
) -> Iterator[tuple[int, list[Any] | None]]:
    decoded = decoder.decode(values[start:stop])
    if decoded is not None or stop - start == 1:
        yield start, decoded
        return
    middle = (start + stop) // 2
    yield from _decode_parts(decoder, values, start, middle)
    yield from _decode_parts(decoder, values, middle, stop)


def _find_excess(variables: dict[str, object]) -> GraphQLError | None:
    """Return an error if the variables have too many values, or too long a text or field name."""
    found = 0
    pending: list[dict[str, object] | list[object]] = [variables]
    while pending:
        container = pending.pop()
        found += len(container)
        if found > MAX_VALUES:
            message = f"The variables have more than {MAX_VALUES:,} values; split the request."
            return GraphQLError(message, extensions={"code": "TOO_MANY_VALUES"})
        if isinstance(container, dict) and (length := max(map(len, container), default=0)) > MAX_NAME_LENGTH:
            message = f"Field name too long: {length:,} characters, limit {MAX_NAME_LENGTH:,}."
            return GraphQLError(message, extensions={"code": "TEXT_TOO_LONG"})
        for entry in container.values() if isinstance(container, dict) else container:
            if isinstance(entry, str):
                if len(entry) > MAX_TEXT_LENGTH:
                    message = f"Text too long: {len(entry):,} characters, limit {MAX_TEXT_LENGTH:,}."
                    return GraphQLError(message, extensions={"code": "TEXT_TOO_LONG"})
            elif entry and isinstance(entry, dict | list):
                pending.append(entry)
    return None
