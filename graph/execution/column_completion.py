"""Executor that completes a list of objects from columns in one step.

It charges other lists to a meter. The stock executor resolves and completes every field of every object separately. For 365
days of three fields this occupies the event loop for 8 to 10 ms. This executor collects the selection once per list and
builds the objects from whole columns. Field collection handles aliases, fragments, directives and `__typename`, so they
behave as in the stock executor. `tests/graph/execution/test_column_completion.py` compares the two.
"""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLList, GraphQLOutputType, GraphQLResolveInfoHelpers, get_named_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.columns import ColumnarList
from graph.execution.response_meter import ResponseMeter


class ColumnarExecutionContext(StrawberryGraphQLCoreExecutionContext):
    """Execution context that completes each ColumnarList in one step.

    It limits the length of other lists.
    """

    _meter: ResponseMeter | None = None

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        open_meter: Callable[[], ResponseMeter] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **options)
        self._open_meter = open_meter

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Helpers for asynchronous work, created on access because they refer back to the executor."""
        return GraphQLResolveInfoHelpers(gather=self.gather_async_work, track=self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, helpers: GraphQLResolveInfoHelpers) -> None:
        """Ignore the assignment: storing the helpers would create a reference cycle per request."""

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: Any,  # noqa: ANN401
        info: Any,  # noqa: ANN401
        path: Any,  # noqa: ANN401
        result: Any,  # noqa: ANN401
        position_context: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Return the completed list, built from columns if the result is a ColumnarList.

        Raise RequestError (RESPONSE_TOO_LARGE, QUERY_TOO_COSTLY) before any entry of a list is completed.
        """
        if not isinstance(result, ColumnarList):
            self._charge(field_details_list, result)
            return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)
        item_type = get_named_type(return_type)
        selected, *_ = self.collect_subfields(item_type, field_details_list)  # type: ignore[arg-type]
        return result.to_objects(
            item_type.name, [(name, details[0].node.name.value) for name, details in selected.items()]
        )

    def _charge(self, field_details_list: Any, result: Any) -> None:  # noqa: ANN401
        """Count the list. Raise RequestError (RESPONSE_TOO_LARGE, QUERY_TOO_COSTLY)."""
        if self._open_meter is not None:
            # Each event of a subscription is a response of its own, executed by a copy of the first context.
            self._meter = self._meter or self._open_meter()
            self._meter.charge((details.node for details in field_details_list), len(result))
