"""Settings that bound the cost of one upload and of one change of the region tree.

Servers, workers and commands share them.
"""

from pydantic import Field
from pydantic_settings import BaseSettings

from domain.batch_size import DEFAULT_LIMITS, SHORT_ITEM_DAYS, BatchLimits

LONG_ITEMS = f"of the items of one batch that are valid for more than {SHORT_ITEM_DAYS} days"


class UploadSettings(BaseSettings):
    """Part of `Settings` about the size of batches and of tree changes."""

    max_items: int = Field(default=100_000, ge=1, description="Maximum number of items in one `uploadPrices` mutation")
    max_batch_price_days: int = Field(
        default=DEFAULT_LIMITS.max_price_days, ge=1, description=f"Maximum sum of the days {LONG_ITEMS}"
    )
    max_batch_lane_months: int = Field(
        default=DEFAULT_LIMITS.max_lane_months,
        ge=1,
        description=f"Maximum number of different pairs of lane and month {LONG_ITEMS}",
    )
    max_moved_lane_months: int = Field(
        default=1_000_000,
        ge=1,
        description="Maximum number of lane-months that a change of the region tree moves, unless a command allows more",
    )

    def batch_limits(self) -> BatchLimits:
        """Return the limits of one batch."""
        return BatchLimits(self.max_batch_price_days, self.max_batch_lane_months)
