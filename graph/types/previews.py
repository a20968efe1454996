"""What a dry run answers: what an upload would come to."""

from datetime import date

import strawberry

from domain.batches import BatchStatus
from graph.types.averages import USD
from graph.types.lanes import Lane, to_lane
from graph.types.locations import Port
from resolvers.uploads.dry_runs import AverageChange as ChangeModel
from resolvers.uploads.dry_runs import UploadPreview as PreviewModel


@strawberry.type(description="A day of a lane whose average would change.")
class AverageChange:
    origin: Port = strawberry.field(description="The port of departure.")
    destination: Port = strawberry.field(description="The port of arrival.")
    day: date = strawberry.field(description="The day.")
    average_before: float | None = strawberry.field(description=f"The mean of the day's prices as it is, {USD}.")
    average_after: float = strawberry.field(
        description="The mean of the day's prices as it would be, in US dollars, rounded likewise."
    )
    count_before: int = strawberry.field(description="How many prices the day has.")
    count_after: int = strawberry.field(description="How many prices the day would have.")


@strawberry.type(
    description="What an upload would come to if it were applied now. Batches that still wait are not counted."
)
class UploadPreview:
    status: BatchStatus = strawberry.field(description="How the batch would end: APPLIED or REJECTED.")
    item_count: int = strawberry.field(description="How many items it lists.")
    accepted_count: int = strawberry.field(description="How many items would be applied.")
    rejected_count: int = strawberry.field(description="How many items are invalid.")
    price_day_count: float = strawberry.field(description="How many daily prices its applied items would stand for.")
    lane_count: int = strawberry.field(description="How many lanes, port to port, it would touch.")
    first_day: date | None = strawberry.field(
        description="The first day with a price; null when none would be applied."
    )
    last_day: date | None = strawberry.field(description="The last day with a price; null when none would be applied.")
    lanes: list[Lane] = strawberry.field(description="The lanes that it would touch, at most the first 100.")
    changes: list[AverageChange] = strawberry.field(
        description=(
            "The averages of lanes, port to port, that it would move most, at most 10, the largest move first. Averages that"
            " would be new come after those that move, the largest first."
        )
    )
    new_average_count: float = strawberry.field(
        description="How many days of lanes would have an average for the first time."
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
