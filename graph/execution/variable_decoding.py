"""Decoding of uploaded items by msgspec before execution.

graphql-core coerces every item of a list of input objects field by field in Python. For 10,000 items, this blocks the event
loop for 1.0 s.
Therefore lists of PriceInput among the variables are decoded by msgspec, in C. A decoded list reaches its resolver as one
opaque value in place of the price of a single item. An invalid list is left to GraphQL's own coercion and its errors.
"""

from typing import Any

from graphql import ListTypeNode, NamedTypeNode, NonNullTypeNode, OperationDefinitionNode, TypeNode

from graph.decoded_items import DecodedItems
from resolvers.uploads.items import PriceItem, decode_items


def _wrap_decoded(decoded: list[PriceItem]) -> list[dict[str, object]]:
    """Return a list with a single input object that carries the decoded items."""
    return [{"price": DecodedItems(decoded)}]


def _type_name(node: TypeNode) -> str:
    while isinstance(node, NonNullTypeNode | ListTypeNode):
        node = node.type
    return node.name.value if isinstance(node, NamedTypeNode) else ""


def _decode_variable(type_name: str, value: object) -> object:
    """Return the value of a variable with its list of items decoded, or unchanged."""
    match type_name, value:
        case "UploadPricesInput", {"prices": [_, *_] as prices}:
            decoded = decode_items(prices)
            return value if decoded is None else {**value, "prices": _wrap_decoded(decoded)}  # type: ignore[dict-item]
        case "PriceInput", [_, *_]:
            decoded = decode_items(value)
            return value if decoded is None else _wrap_decoded(decoded)
    return value


def decode_variables(operation: OperationDefinitionNode, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of the operation with lists of items decoded."""
    decoded = dict(variables)
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in decoded:
            decoded[name] = _decode_variable(_type_name(definition.type), decoded[name])
    return decoded
