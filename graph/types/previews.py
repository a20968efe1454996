"""Upload previews: the result of a dry run."""

from datetime import date

import strawberry

from graph.types.averages import USD
from graph.types.enums import BatchStatus
from graph.types.lanes import Lane, to_lane
from graph.types.locations import Port
from resolvers.uploads.dry_runs import AverageChange as ChangeModel
from resolvers.uploads.dry_runs import UploadPreview as PreviewModel


@strawberry.type(description="A day of a lane whose average would change.")
class AverageChange:
    origin: Port = strawberry.field(description="The port of departure.")
    destination: Port = strawberry.field(description="The port of arrival.")
    day: date = strawberry.field(description="The day.")
    average_before: float | None = strawberry.field(description=f"The current mean of the day's prices, {USD}.")
    average_after: float = strawberry.field(
        description="The mean of the day's prices after the upload, in US dollars, rounded to 2 decimals (half away from zero)."
    )
    count_before: int = strawberry.field(description="The current number of prices of the day.")
    count_after: int = strawberry.field(description="The number of prices of the day after the upload.")


@strawberry.type(
    description="The result that an upload would have if it were applied now. Queued batches are not considered."
)
class UploadPreview:
    status: BatchStatus = strawberry.field(description="The resulting status: APPLIED or REJECTED.")
    item_count: int = strawberry.field(description="Number of items in the upload.")
    accepted_count: int = strawberry.field(description="Number of items that would be applied.")
    rejected_count: int = strawberry.field(description="Number of invalid items.")
    price_day_count: float = strawberry.field(
        description="Number of daily prices that the applied items would expand to; a Float because it may exceed 32 bits."
    )
    lane_count: int = strawberry.field(description="Number of port-to-port lanes that would receive prices.")
    first_day: date | None = strawberry.field(
        description="The first day with a price; null if no item would be applied."
    )
    last_day: date | None = strawberry.field(description="The last day with a price; null if no item would be applied.")
    lanes: list[Lane] = strawberry.field(description="The lanes that would receive prices, at most the first 100.")
    changes: list[AverageChange] = strawberry.field(
        description=(
            "The averages of port-to-port lanes that would change most, largest change first, then new averages, largest first;"
            " at most 10 in total."
        )
    )
    new_average_count: float = strawberry.field(
        description="Number of lane days that would get their first average; a Float because it may exceed 32 bits."
    )


def to_preview(model: PreviewModel) -> UploadPreview:
    """Return the preview as its GraphQL type."""
    outcome = model.outcome
    return UploadPreview(
        status=outcome.status,
        item_count=outcome.item_count,
        accepted_count=outcome.accepted_count,
        rejected_count=outcome.rejected_count,
        price_day_count=outcome.price_day_count,
        lane_count=outcome.lane_count,
        first_day=outcome.first_day,
        last_day=outcome.last_day,
        lanes=[to_lane(origin, destination) for origin, destination in model.lanes],
        changes=[_to_change(change) for change in model.changes],
        new_average_count=model.new_average_count,
    )


def _to_change(model: ChangeModel) -> AverageChange:
    return AverageChange(
        origin=Port(model=model.origin),
        destination=Port(model=model.destination),
        day=model.day,
        average_before=model.average_before,
        average_after=model.average_after,
        count_before=model.count_before,
        count_after=model.count_after,
    )
