"""Rejections: the stored problems of a batch's items, page by page."""

import strawberry
from strawberry.relay import PageInfo

from domain.batches import RejectionPage, Severity
from graph.types.pagination import encode_cursor, to_page_info

strawberry.enum(Severity, description="Whether a rejection kept its item out or only remarks on it.")


@strawberry.type(name="Rejection", description="A stored problem of an item of a batch.")
class RejectionType:
    item: int | None = strawberry.field(description="Which item, counting from 1; null when it is the whole batch.")
    field: str | None = strawberry.field(description="Which field of the item.")
    code: str = strawberry.field(description="The kind of problem, for programs.")
    severity: Severity = strawberry.field(description="Whether it kept the item out.")
    message: str = strawberry.field(description="The problem in words.")
    value: str | None = strawberry.field(description="The value that was given.")


@strawberry.type(description="A rejection within a list, with its place in it.")
class RejectionEdge:
    cursor: str = strawberry.field(description="Give this as `after` to go on behind the entry.")
    node: RejectionType = strawberry.field(description="The rejection.")


@strawberry.type(description="A page of rejections.")
class RejectionConnection:
    edges: list[RejectionEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Whether and where the list goes on.")
    total_count: int = strawberry.field(description="How many rejections the batch has in all.")


def to_rejection_connection(page: RejectionPage, *, after: str | None) -> RejectionConnection:
    """Return the page as a Relay connection."""
    edges = [
        RejectionEdge(
            cursor=encode_cursor("rejection", rejection.number),
            node=RejectionType(
                item=rejection.item,
                field=rejection.field,
                code=rejection.code,
                severity=rejection.severity,
                message=rejection.message,
                value=rejection.value,
            ),
        )
        for rejection in page.rejections
    ]
    page_info = to_page_info([edge.cursor for edge in edges], has_next_page=page.has_next_page, after=after)
    return RejectionConnection(edges=edges, page_info=page_info, total_count=page.total_count)
