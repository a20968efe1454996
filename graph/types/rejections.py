"""Rejections: the stored problems of a batch's items, as a paginated list."""

import strawberry

from domain.batches import Rejection
from domain.pages import Page
from graph.relay.connections import Connection, to_connection
from graph.types.enums import ProblemCode, Severity
from graph.value_sizes import MAX_MESSAGE_LENGTH


@strawberry.type(name="Rejection", description="A stored problem of an item of a batch.")
class RejectionType:
    item: int | None = strawberry.field(
        description="Number of the item, counting from 1; null if the problem concerns the whole batch."
    )
    field: str | None = strawberry.field(description="The field of the item.")
    code: ProblemCode = strawberry.field(description="Machine-readable kind of problem.")
    severity: Severity = strawberry.field(description="Whether the problem excluded the item.")
    message: str = strawberry.field(description="Human-readable description of the problem.")
    value: str | None = strawberry.field(description="The value that was sent.")
    message_id: str | None = strawberry.field(
        description="ID of the message that contained the item, if it came from a message broker; null once the ID has expired."
    )


def to_rejection_connection(page: Page[Rejection]) -> Connection[RejectionType]:
    """Return the page as a Relay connection."""
    rejections = [
        (
            rejection.number,
            RejectionType(
                item=rejection.item,
                field=rejection.field,
                code=ProblemCode.of(rejection.code),
                severity=rejection.severity,
                message=rejection.message[:MAX_MESSAGE_LENGTH],
                value=rejection.value,
                message_id=rejection.message_id,
            ),
        )
        for rejection in page.entries
    ]
    return to_connection("rejection", page, rejections)
