"""Choice of the plan of an operation."""

from typing import Any, Protocol

from graphql import GraphQLError, OperationDefinitionNode, OperationType

from graph.plans.average_prices import AveragePricesPlan
from graph.plans.documents import Fragments, NotPlannable, Values
from graph.plans.price_series import PriceSeriesPlan
from resolvers.context import RequestContext


class Plan(Protocol):
    """Execution plan of an operation, created once per document."""

    def bind(self, variables: Values) -> Any | None:  # noqa: ANN401
        """Return the queries with these variables, or None for variables that need the executor."""

    async def execute(self, bound: Any, context: RequestContext, /) -> tuple[dict[str, Any], list[GraphQLError]]:  # noqa: ANN401
        """Return the same data and errors as the executor."""


def create_plan(operation: OperationDefinitionNode, fragments: Fragments) -> Plan | None:
    """Return the plan of a valid operation, or None if it needs the executor."""
    if operation.operation is OperationType.QUERY and not operation.directives:
        for plan in (AveragePricesPlan, PriceSeriesPlan):
            try:
                return plan.create(operation, fragments)
            except (NotPlannable, GraphQLError):
                continue
    return None
