"""The scalars that differ from the stock ones, and why."""

import re
from datetime import date
from typing import Any, NewType

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

from graph.decoded_items import DecodedItems
from resolvers.uploads.price_files import UploadedFile

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

PriceAmount = NewType("PriceAmount", str)
"""An uploaded price as its decimal text, so that no digit is lost on the way."""


def parse_date(value: object) -> date:
    """Return the day of the calendar. Raise GraphQLError (INVALID_DATE)."""
    # The stock scalar also takes 20160101 and 2016-W01-1.
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    shown = repr(value)[:40].encode("ascii", "replace").decode()
    raise GraphQLError(
        f"{shown} is not a day of the calendar, written YYYY-MM-DD.", extensions={"code": "INVALID_DATE"}
    )


def _parse_amount(value: object) -> PriceAmount | DecodedItems:
    if isinstance(value, DecodedItems):
        return value
    if isinstance(value, str):
        return PriceAmount(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return PriceAmount(repr(value))
    raise GraphQLError("A price is a number or a decimal string.", extensions={"code": "INVALID_PRICE"})


def _parse_amount_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> PriceAmount:
    if isinstance(node, IntValueNode | FloatValueNode | StringValueNode):
        return PriceAmount(node.value)
    raise GraphQLError("A price is a number or a decimal string.", node, extensions={"code": "INVALID_PRICE"})


def _parse_upload(value: object) -> UploadedFile:
    # No JSON and no literal can hold a file: only a multipart request puts one here.
    if isinstance(value, UploadedFile):
        return value
    raise GraphQLError(
        "A file comes as a part of a multipart request whose map puts it here.", extensions={"code": "INVALID_UPLOAD"}
    )


SCALARS: dict[object, ScalarDefinition] = {
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar, strictly as `YYYY-MM-DD`.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    UploadedFile: strawberry.scalar(
        name="Upload",
        description="A file, sent along as a part of a multipart request.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        parse_value=_parse_upload,
    ),
    PriceAmount: strawberry.scalar(
        name="PriceAmount",
        description=(
            'A price as a JSON number or as a decimal string such as `"1234.56"`. Four decimals are kept; further ones'
            " are rounded half away from zero. What is no number is reported with its item, not as a GraphQL error."
        ),
        parse_value=_parse_amount,
        parse_literal=_parse_amount_literal,
    ),
}
