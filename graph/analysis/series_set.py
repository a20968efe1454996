"""Price series of several lanes: their common buckets and currency, and their download URL."""

from datetime import date
from typing import Annotated
from urllib.parse import urlencode

import strawberry

from graph.analysis.price_series import PriceSeries
from graph.columns import JsonColumn
from graph.types.enums import DownloadFormat, Interval
from resolvers.analysis.price_series import PriceSeriesSet
from resolvers.locations import MAX_KEY_LENGTH


@strawberry.type(
    name="PriceSeriesSet", description="The prices of several lanes over time, with their common buckets and currency."
)
class SeriesSet:
    """GraphQL view of `PriceSeriesSet`."""

    model: strawberry.Private[PriceSeriesSet]

    @strawberry.field(description="The currency of all amounts.")
    def currency(self) -> str:
        return self.model.scale.currency

    @strawberry.field(description="The length of a bucket.")
    def interval(self) -> Interval:
        interval = self.model.scale.axis.interval
        assert interval is not None  # noqa: S101  # a series always has one
        return interval

    @strawberry.field(
        name="from", description="The first day of each bucket within the range, in order.", graphql_type=list[date]
    )
    def date_from(self) -> JsonColumn:
        return JsonColumn(map(date.isoformat, self.model.scale.axis.first_days()))

    @strawberry.field(name="to", description="The last day of each bucket within the range.", graphql_type=list[date])
    def date_to(self) -> JsonColumn:
        return JsonColumn(map(date.isoformat, self.model.scale.axis.last_days()))

    @strawberry.field(
        description="Whether the range cuts the bucket, so that it has fewer days than its interval.",
        graphql_type=list[bool],
    )
    def partial(self) -> JsonColumn:
        return JsonColumn(bucket.is_partial for bucket in self.model.scale.axis.buckets)

    @strawberry.field(
        description=(
            "The lanes, in the order of the argument; null, with an error that names it (`lanes.2.origin`), for one with an"
            " unknown location."
        ),
        graphql_type=list[PriceSeries | None],
    )
    def lanes(self) -> list[PriceSeries | Exception]:
        # The executor turns an exception in a list into the error of that entry.
        return [lane if isinstance(lane, Exception) else PriceSeries(model=lane) for lane in self.model.lanes]

    @strawberry.field(
        description=(
            "The same figures as a file: a path on this server with the same arguments (`/series.csv?…`). Add"
            " `percentiles=25,75` for statistics. It requires the same scope, and has an `ETag`."
        )
    )
    def download_url(
        self,
        format: Annotated[  # noqa: A002
            DownloadFormat, strawberry.argument(description="The format of the file.")
        ] = DownloadFormat.CSV,
    ) -> str:
        return f"/series.{format.lower()}?{urlencode(self._parameters())}"

    def _parameters(self) -> list[tuple[str, str]]:
        query = self.model.query
        return [
            *(("lane", f"{_shorten(origin)}:{_shorten(destination)}") for origin, destination in query.lanes),
            ("dateFrom", str(query.date_from)),
            ("dateTo", str(query.date_to)),
            ("interval", query.interval.value),
            ("minimumSample", str(query.minimum_sample)),
            ("currency", self.model.scale.currency),
            *(
                ()
                if query.fallback is None
                else (("maxLevels", str(query.fallback.max_levels)), ("coverage", repr(query.fallback.coverage)))
            ),
        ]


def _shorten(key: str) -> str:
    """Return the key; no key of a location is longer than the maximum."""
    return key.strip()[:MAX_KEY_LENGTH].encode(errors="replace").decode()
