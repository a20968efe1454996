"""Custom scalars: strict dates, lossless price amounts, uploaded files."""

import re
from datetime import date
from typing import Any, NewType

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode, print_ast
from strawberry.types.scalar import ScalarDefinition

from graph.decoded_items import DecodedItems
from graph.errors.printed_values import MAX_TEXT_LENGTH, print_value
from resolvers.uploads.price_files import UploadedFile

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

PriceAmount = NewType("PriceAmount", str)
"""An uploaded price as decimal text, which preserves every digit."""


def parse_date(value: object) -> date:
    """Return the date of a `YYYY-MM-DD` text. Raise GraphQLError (INVALID_DATE)."""
    # The stock scalar also accepts 20160101 and 2016-W01-1.
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise _invalid_date(print_value(value))


def _parse_date_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> date:
    if isinstance(node, StringValueNode):
        try:
            return parse_date(node.value)
        except GraphQLError:
            raise _invalid_date(print_value(node.value), node) from None
    raise _invalid_date(print_ast(node)[:MAX_TEXT_LENGTH], node)


def _invalid_date(shown: str, node: ValueNode | None = None) -> GraphQLError:
    return GraphQLError(
        f"{shown} is not a valid date (expected YYYY-MM-DD).", node, extensions={"code": "INVALID_DATE"}
    )


def _parse_amount(value: object) -> PriceAmount | DecodedItems:
    if isinstance(value, DecodedItems):
        return value
    if isinstance(value, str):
        return PriceAmount(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return PriceAmount(repr(value))
    raise GraphQLError("A price must be a number or a decimal string.", extensions={"code": "INVALID_PRICE"})


def _parse_amount_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> PriceAmount:
    if isinstance(node, IntValueNode | FloatValueNode | StringValueNode):
        return PriceAmount(node.value)
    raise GraphQLError("A price must be a number or a decimal string.", node, extensions={"code": "INVALID_PRICE"})


def _parse_upload(value: object) -> UploadedFile:
    # JSON and GraphQL literals cannot represent a file: only a multipart request supplies one.
    if isinstance(value, UploadedFile):
        return value
    raise _invalid_upload()


def _parse_upload_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> UploadedFile:
    raise _invalid_upload(node)


def _invalid_upload(node: ValueNode | None = None) -> GraphQLError:
    return GraphQLError(
        "Upload values must be sent as a multipart request (graphql-multipart-request-spec).",
        node,
        extensions={"code": "INVALID_UPLOAD"},
    )


SCALARS: dict[object, ScalarDefinition] = {
    date: strawberry.scalar(
        name="Date",
        description="A calendar date in the format `YYYY-MM-DD`; no other ISO 8601 format is accepted.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date",
        serialize=date.isoformat,
        parse_value=parse_date,
        parse_literal=_parse_date_literal,
    ),
    UploadedFile: strawberry.scalar(
        name="Upload",
        description="A file, sent as a part of a multipart request.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        parse_value=_parse_upload,
        parse_literal=_parse_upload_literal,
    ),
    PriceAmount: strawberry.scalar(
        name="PriceAmount",
        description=(
            'A price as a JSON number or as a decimal string such as `"1234.56"`. Rounded to four decimals,'
            " half away from zero. A string that is not a number is reported as a problem of its item, not as a GraphQL error."
        ),
        parse_value=_parse_amount,
        parse_literal=_parse_amount_literal,
    ),
}
