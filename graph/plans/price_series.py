"""Plan of operations that only select one `priceSeries` without statistics and locations.

A chart of 50 lanes needs some 200 fields, of which the executor completes each separately. The plan calls the same methods of
the same types. `tests/graph/plans/test_price_series.py` compares it with the executor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, located_error

from graph.analysis.price_series import PriceSeries
from graph.analysis.series_set import SeriesSet
from graph.plans.documents import (
    LANES,
    Fragments,
    Getter,
    NotPlannable,
    Values,
    Variables,
    argument_getter,
    arguments_of,
    collect_fields,
    response_name,
)
from resolvers.analysis.price_series import PriceSeriesQuery, PriceSeriesSet, price_series
from resolvers.context import RequestContext
from resolvers.loading.turns import Turns

FIELD, SET_TYPE, LANE_TYPE = "priceSeries", "PriceSeriesSet", "PriceSeries"
ARGUMENTS = {
    "lanes": ("lanes", LANES),
    "dateFrom": ("date_from", "Date!"),
    "dateTo": ("date_to", "Date!"),
    "interval": ("interval", "Interval!"),
    "minimumSample": ("minimum_sample", "Int!"),
    "currency": ("currency", "String!"),
}
"""The arguments of `priceSeries` with their names in `PriceSeriesQuery`, and their types."""
SET_FIELDS: dict[str, Callable[[SeriesSet], object]] = {
    "__typename": lambda _: SET_TYPE,
    "currency": SeriesSet.currency,
    "interval": SeriesSet.interval,
    "from": SeriesSet.date_from,
    "to": SeriesSet.date_to,
    "partial": SeriesSet.partial,
}
LANE_FIELDS: dict[str, Callable[[PriceSeries], object]] = {
    "__typename": lambda _: LANE_TYPE,
    "averages": PriceSeries.averages,
    "changePercents": PriceSeries.change_percents,
    "changes": PriceSeries.changes,
    "counts": PriceSeries.counts,
    "destinationLevelsUp": PriceSeries.destination_levels_up,
    "nullReasons": PriceSeries.null_reasons,
    "originLevelsUp": PriceSeries.origin_levels_up,
    "sufficient": PriceSeries.sufficient,
}
LISTS = "lanes"
FIGURES_PER_TURN = 5_000
"""Figures that are computed in one iteration of the event loop: 2 to 3 ms."""


@dataclass(frozen=True, slots=True)
class _PlannedLanes:
    """A `lanes` field of a set: its node, and the methods of its fields by response name."""

    node: FieldNode
    methods: dict[str, Callable[[PriceSeries], object]]

    async def complete(
        self, lanes: Sequence[PriceSeries | Exception], bucket_count: int, path: list[str]
    ) -> tuple[list[dict[str, object] | None], list[GraphQLError]]:
        """Return the entries and their errors, computed in turns with other requests."""
        entries: list[dict[str, object] | None] = []
        errors = []
        turns = Turns(FIGURES_PER_TURN)
        for position, lane in enumerate(lanes):
            await turns.take(bucket_count * len(self.methods))
            if isinstance(lane, Exception):
                entries.append(None)
                errors.append(located_error(lane, [self.node], [*path, position]))
            else:
                entries.append({name: method(lane) for name, method in self.methods.items()})
        return entries, errors


@dataclass(frozen=True, slots=True)
class PriceSeriesPlan:
    """Execution plan of an operation with one `priceSeries`; its fields by response name."""

    variables: Variables
    response_name: str
    node: FieldNode
    arguments: dict[str, Getter]
    fields: dict[str, Callable[[SeriesSet], object] | _PlannedLanes]

    @classmethod
    def create(cls, operation: OperationDefinitionNode, fragments: Fragments) -> Self:
        """Return the plan of a valid query. Raise NotPlannable or GraphQLError."""
        nodes = list(collect_fields(operation.selection_set, fragments))
        if len(nodes) > 1 or (node := nodes[0]).name.value != FIELD or node.selection_set is None:
            raise NotPlannable
        given = arguments_of(node)
        if not given.keys() <= ARGUMENTS.keys():
            raise NotPlannable
        arguments = {ARGUMENTS[name][0]: argument_getter(value, ARGUMENTS[name][1]) for name, value in given.items()}
        fields: dict[str, Callable[[SeriesSet], object] | _PlannedLanes] = {}
        for field in collect_fields(node.selection_set, fragments):
            name = response_name(field)
            if isinstance(fields.get(name), _PlannedLanes):
                # The executor merges their selections.
                raise NotPlannable
            fields[name] = _plan_lanes(field, fragments) if field.name.value == LISTS else _method(field, SET_FIELDS)
        return cls(Variables(operation), response_name(node), node, arguments, fields)

    def bind(self, variables: Values) -> PriceSeriesQuery | None:
        """Return the query with these variables, or None for variables that need the executor."""
        values = self.variables.parse(variables)
        if values is None:
            return None
        return PriceSeriesQuery(**{name: get(values) for name, get in self.arguments.items()})

    async def execute(
        self, query: PriceSeriesQuery, context: RequestContext
    ) -> tuple[dict[str, Any], list[GraphQLError]]:
        """Return the same data and errors as the executor."""
        try:
            found = await price_series(context, query)
        except Exception as error:
            return {self.response_name: None}, [located_error(error, [self.node], [self.response_name])]
        data, errors = await self._complete(found)
        return {self.response_name: data}, errors

    async def _complete(self, found: PriceSeriesSet) -> tuple[dict[str, object], list[GraphQLError]]:
        series_set, bucket_count = SeriesSet(model=found), len(found.scale.axis.buckets)
        data: dict[str, object] = {}
        errors: list[GraphQLError] = []
        for name, field in self.fields.items():
            if isinstance(field, _PlannedLanes):
                path = [self.response_name, name]
                data[name], lane_errors = await field.complete(series_set.lanes(), bucket_count, path)
                errors += lane_errors
            else:
                data[name] = field(series_set)
        return data, errors


def _plan_lanes(node: FieldNode, fragments: Fragments) -> _PlannedLanes:
    if node.selection_set is None:
        raise NotPlannable
    fields = collect_fields(node.selection_set, fragments)
    return _PlannedLanes(node, {response_name(field): _method(field, LANE_FIELDS) for field in fields})


def _method(field: FieldNode, methods: dict[str, Callable[[Any], object]]) -> Callable[[Any], object]:
    if field.name.value not in methods:
        raise NotPlannable
    return methods[field.name.value]
