"""Plan of operations that only select `averagePrices`.

For a month of prices, the executor and its argument conversion need more time than reading and writing the response. A plan
is created once per document and bound to the variables of each request. `tests/graph/plans/test_average_prices.py` compares it
with the executor.
"""

from dataclasses import dataclass
from typing import Any, Self

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, located_error

from graph.plans.documents import (
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
from graph.types.averages import STATISTICS, DailyAverage, to_columns
from resolvers.averages import AveragePricesQuery, average_prices
from resolvers.context import RequestContext
from resolvers.loading.turns import DAYS_PER_TURN, Turns

FIELD = "averagePrices"
TYPES = {"dateFrom": "Date!", "dateTo": "Date!", "origin": "String!", "destination": "String!"}
"""The arguments of `averagePrices` and their types."""


@dataclass(frozen=True, slots=True)
class _PlannedField:
    """An `averagePrices` field of a document.

    Each column is a pair of response name and field name.
    """

    response_name: str
    node: FieldNode
    date_from: Getter
    date_to: Getter
    origin: Getter
    destination: Getter
    columns: tuple[tuple[str, str], ...]
    with_statistics: bool

    def to_query(self, values: Values) -> AveragePricesQuery:
        return AveragePricesQuery(
            self.date_from(values),
            self.date_to(values),
            self.origin(values),
            self.destination(values),
            self.with_statistics,
        )


@dataclass(frozen=True, slots=True)
class AveragePricesPlan:
    """Execution plan of an operation: its fields, and its variables."""

    variables: Variables
    fields: tuple[_PlannedField, ...]

    @classmethod
    def create(cls, operation: OperationDefinitionNode, fragments: Fragments) -> Self:
        """Return the plan of a valid query. Raise NotPlannable or GraphQLError."""
        nodes = list(collect_fields(operation.selection_set, fragments))
        # The executor merges fields with the same response name.
        if len({response_name(node) for node in nodes}) < len(nodes):
            raise NotPlannable
        return cls(Variables(operation), tuple(_plan_field(node, fragments) for node in nodes))

    def bind(self, variables: Values) -> list[AveragePricesQuery] | None:
        """Return the queries with these variables, or None for variables that need the executor."""
        values = self.variables.parse(variables)
        return None if values is None else [field.to_query(values) for field in self.fields]

    async def execute(
        self, queries: list[AveragePricesQuery], context: RequestContext
    ) -> tuple[dict[str, Any], list[GraphQLError]]:
        """Return the same data and errors as the executor."""
        data: dict[str, list[dict[str, object]] | None] = {}
        errors: list[GraphQLError] = []
        try:
            results = await average_prices(context, queries)
        except Exception as error:
            results = [error] * len(queries)
        turns = Turns(DAYS_PER_TURN)
        for field, result in zip(self.fields, results, strict=True):
            if isinstance(result, Exception):
                data[field.response_name] = None
                errors.append(located_error(result, [field.node], [field.response_name]))
            else:
                await turns.take(len(result.counts))
                data[field.response_name] = to_columns(result).to_objects(DailyAverage.__name__, field.columns)
        return data, errors


def _plan_field(node: FieldNode, fragments: Fragments) -> _PlannedField:
    if node.name.value != FIELD or node.selection_set is None:
        raise NotPlannable
    arguments = arguments_of(node)
    date_from, date_to, origin, destination = (argument_getter(arguments[name], TYPES[name]) for name in TYPES)
    fields = list(collect_fields(node.selection_set, fragments))
    columns = {response_name(field): field.name.value for field in fields}
    with_statistics = not STATISTICS.isdisjoint(columns.values())
    return _PlannedField(
        response_name(node), node, date_from, date_to, origin, destination, tuple(columns.items()), with_statistics
    )
