"""Root query type.

Every field is nullable: a field that fails is null next to its error, and the other fields of the request keep their data.
"""

from datetime import date
from typing import Annotated

import strawberry
from strawberry.types.nodes import SelectedField, Selection

from domain.batches import PriceBatch as PriceBatchModel
from domain.prices import ExchangeRate as ExchangeRateModel
from graph.analysis.query import AnalysisQuery
from graph.authorization import requires
from graph.columns import ColumnarList
from graph.operations.query import OperationsQuery
from graph.relay.connections import After, Before, Connection, First, Last, parse_page
from graph.relay.nodes import Node
from graph.types.arguments import BatchId, Info, LocationKey
from graph.types.averages import STATISTICS, DailyAverage, to_columns
from graph.types.batches import PriceBatch, to_batch, to_batch_connection
from graph.types.enums import BatchStatus, LocationKind
from graph.types.locations import Location, Port, Region, to_location, to_location_connection
from graph.types.rates import Currency, ExchangeRate
from resolvers import averages, locations, rates
from resolvers.caller import AuthScope
from resolvers.errors import RequestError
from resolvers.relay.global_ids import parse_batch_id
from resolvers.relay.nodes import NodeModel, find_node, find_nodes
from resolvers.uploads import batches


def _selects(selections: list[Selection], names: frozenset[str]) -> bool:
    """Return whether any of the named fields is selected, directly or in a fragment."""
    return any(
        selection.name in names if isinstance(selection, SelectedField) else _selects(selection.selections, names)
        for selection in selections
        if not selection.directives.get("skip", {}).get("if")
        and selection.directives.get("include", {}).get("if", True)
    )


def _selects_statistics(info: Info) -> bool:
    """Return whether the field selects price statistics, which are read from the single prices.

    The document cache knows the fields that name statistics. Only theirs are searched, with the directives evaluated.
    """
    fields = info.context.statistics_fields
    if fields is not None and (not fields or fields.isdisjoint(map(id, info._raw_info.field_nodes))):
        return False
    return any(_selects(field.selections, STATISTICS) for field in info.selected_fields)


def _to_node(model: NodeModel) -> Node:
    return to_batch(model) if isinstance(model, PriceBatchModel) else to_location(model)


@strawberry.type(description="The caller, as the server knows it from the token.")
class Viewer:
    name: str | None = strawberry.field(description="The name of the token's owner; null without a token.")
    scopes: list[AuthScope] = strawberry.field(description="The permissions of the caller.")


@strawberry.type(description="Root query type: prices, exchange rates, locations and batches.")
class Query(AnalysisQuery, OperationsQuery):
    @strawberry.field(
        description=(
            "Average prices per day from an origin to a destination: one entry for each day of the range, in order."
            " A region stands for all ports below it at any depth. The list is null only together with an error."
        ),
        graphql_type=list[DailyAverage] | None,
        metadata=requires(AuthScope.READ),
    )
    async def average_prices(
        self,
        info: Info,
        date_from: Annotated[date, strawberry.argument(description="The first day.")],
        date_to: Annotated[date, strawberry.argument(description="The last day, inclusive.")],
        origin: LocationKey,
        destination: LocationKey,
    ) -> ColumnarList:
        query = averages.AveragePricesQuery(date_from, date_to, origin, destination, _selects_statistics(info))
        [daily_averages] = await averages.average_prices(info.context, [query])
        return to_columns(daily_averages)

    @strawberry.field(
        description=(
            "The rates at which prices are converted to US dollars: one entry for each day of the range, in order."
        ),
        graphql_type=list[ExchangeRate] | None,
        metadata=requires(AuthScope.READ),
    )
    async def exchange_rates(
        self,
        info: Info,
        currency: Currency,
        date_from: Annotated[date, strawberry.argument(name="from", description="The first day.")],
        date_to: Annotated[date, strawberry.argument(name="to", description="The last day, inclusive.")],
    ) -> list[ExchangeRateModel]:
        return await rates.exchange_rates(info.context, currency=currency, date_from=date_from, date_to=date_to)

    @strawberry.field(
        description=(
            "The object with this global ID; null if none is visible to the caller. A batch also requires the scope of `batch`."
        ),
        metadata=requires(AuthScope.READ),
    )
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The global ID of the object.")],  # noqa: A002
    ) -> Node | None:
        model = await find_node(info.context, id)
        return None if model is None else _to_node(model)

    @strawberry.field(
        description="The objects with these global IDs, in their order; null for each that `node` would not find.",
        metadata=requires(AuthScope.READ),
        graphql_type=list[Node | None] | None,
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description="The global IDs, at most as many as a page has entries."),
        ],
    ) -> list[Node | RequestError | None]:
        # The executor turns an exception in a list into the error of that entry.
        return [
            model if model is None or isinstance(model, RequestError) else _to_node(model)
            for model in await find_nodes(info.context, ids)
        ]

    @strawberry.field(description="The caller and what it may do. Every caller may ask this.", metadata=requires(None))
    def viewer(self, info: Info) -> Viewer | None:
        caller = info.context.caller
        return Viewer(name=caller.name or None, scopes=sorted(caller.scopes))

    @strawberry.field(
        description="The port or region with this code or slug, or this alias or name; null if there is none or more than one.",
        metadata=requires(AuthScope.READ),
    )
    async def location(self, info: Info, key: LocationKey) -> Location | None:
        location = await locations.find_location(info.context, key)
        return None if location is None else to_location(location)

    @strawberry.field(
        description="The port with this code, alias or name; null if there is none or more than one.",
        metadata=requires(AuthScope.READ),
    )
    async def port(
        self, info: Info, code: Annotated[str, strawberry.argument(description="A UN/LOCODE, such as `CNSGH`.")]
    ) -> Port | None:
        location = await locations.find_location(info.context, code)
        return Port(model=location) if location is not None and location.kind is LocationKind.PORT else None

    @strawberry.field(
        description="The region with this slug, alias or name; null if there is none or more than one.",
        metadata=requires(AuthScope.READ),
    )
    async def region(
        self, info: Info, slug: Annotated[str, strawberry.argument(description="A slug, such as `north_europe_main`.")]
    ) -> Region | None:
        location = await locations.find_location(info.context, slug)
        return Region(model=location) if location is not None and location.kind is LocationKind.REGION else None

    @strawberry.field(
        description=(
            "Ports and regions, optionally of one `kind`: by name, or those that match `search`, the best match first."
        ),
        metadata=requires(AuthScope.READ),
    )
    async def locations(
        self,
        info: Info,
        search: Annotated[
            str | None,
            strawberry.argument(
                description=(
                    "A part of the key or name; case and accents are ignored (`malmo`). The key or alias itself comes first,"
                    " then keys and then words that begin with the text, then the rest; regions before ports."
                )
            ),
        ] = None,
        kind: Annotated[
            LocationKind | None, strawberry.argument(description="Return only ports or only regions.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Location] | None:
        request = parse_page(info.context, "location", first=first, after=after, last=last, before=before)
        return to_location_connection(await locations.search_locations(info.context, request, search=search, kind=kind))

    @strawberry.field(
        description="The batch with this ID or number; null if none is visible to the caller.",
        metadata=requires(AuthScope.UPLOAD),
    )
    async def batch(self, info: Info, id: BatchId) -> PriceBatch | None:  # noqa: A002
        number = parse_batch_id(id)
        batch = None if number is None else await batches.find_batch(info.context, number)
        return None if batch is None else to_batch(batch)

    @strawberry.field(
        description="The batch that the caller uploaded with this idempotency key; null if none exists.",
        metadata=requires(AuthScope.UPLOAD),
    )
    async def batch_by_key(
        self,
        info: Info,
        idempotency_key: Annotated[
            str,
            strawberry.argument(description="The idempotency key of the upload, or the ID of a message of a broker."),
        ],
    ) -> PriceBatch | None:
        batch = await batches.find_batch_by_key(info.context, idempotency_key)
        return None if batch is None else to_batch(batch)

    @strawberry.field(
        description="The batches of the caller, newest first; for admins, the batches of all callers.",
        metadata=requires(AuthScope.UPLOAD),
    )
    async def batches(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        status: Annotated[
            BatchStatus | None, strawberry.argument(description="Return only batches with this status.")
        ] = None,
    ) -> Connection[PriceBatch] | None:
        request = parse_page(info.context, "batch", first=first, after=after, last=last, before=before)
        return to_batch_connection(await batches.list_batches(info.context, request, status=status))
