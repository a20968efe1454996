"""Why ten thousand uploaded items do not stop the server for a second.

graphql-core coerces every item of a list of input objects field by field in Python: 1.0 s for 10,000 items, on the event
loop. So before an operation is executed, lists of PriceInput among its variables are decoded by msgspec, in C. A list that
decodes is carried to its resolver as one opaque value, in the place of one item's price; a list that does not is
left to GraphQL's own coercion, with its own errors.
"""

from typing import Any

from graphql import ListTypeNode, NamedTypeNode, NonNullTypeNode, OperationDefinitionNode, TypeNode

from graph.decoded_items import DecodedItems
from resolvers.uploads.items import PriceItem, decode_items


def _wrap_decoded(decoded: list[PriceItem]) -> list[dict[str, object]]:
    """Return the list of one input object that carries the decoded items."""
    return [{"dateFrom": "", "origin": "", "destination": "", "price": DecodedItems(decoded)}]


def _type_name(node: TypeNode) -> str:
    while isinstance(node, NonNullTypeNode | ListTypeNode):
        node = node.type
    return node.name.value if isinstance(node, NamedTypeNode) else ""


def _decode_variable(type_name: str, value: object) -> object:
    """Return the variable's value with its list of items decoded, or as it is."""
    match type_name, value:
        case "UploadPricesInput", {"prices": [_, *_] as prices}:
            decoded = decode_items(prices)
            return value if decoded is None else {**value, "prices": _wrap_decoded(decoded)}  # type: ignore[dict-item]
        case "PriceInput", [_, *_]:
            decoded = decode_items(value)
            return value if decoded is None else _wrap_decoded(decoded)
    return value


def decode_variables(operation: OperationDefinitionNode, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of the operation with their lists of items decoded."""
    decoded = dict(variables)
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in decoded:
            decoded[name] = _decode_variable(_type_name(definition.type), decoded[name])
    return decoded
