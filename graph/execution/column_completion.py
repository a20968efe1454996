"""Executor that completes columns in one step, and other lists in turns.

The stock executor resolves and completes every field of every object separately. For 365 days of three fields this occupies
the event loop for 8 to 10 ms. This executor collects the selection once per list and builds the objects from whole columns.
Field collection handles aliases, fragments, directives and `__typename`, so they behave as in the stock executor.
`tests/graph/execution/test_column_completion.py` compares the two.

Other lists are completed by the stock executor, a part in each iteration of the event loop if they are long or many.
"""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLOutputType,
    GraphQLResolveInfoHelpers,
    get_named_type,
    is_non_null_type,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.admission import WorkQueue
from graph.columns import ColumnarList, JsonColumn
from graph.execution.response_meter import RepeatedExcess, ResponseMeter


class ColumnarExecutionContext(StrawberryGraphQLCoreExecutionContext):
    """Execution context that completes each ColumnarList in one step.

    It limits the length of other lists.
    """

    _meter: ResponseMeter | None = None

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        open_meter: Callable[[], ResponseMeter] | None = None,
        work_queue: WorkQueue | None = None,
        max_errors: int | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **options)
        self._open_meter = open_meter
        self._work_queue = work_queue
        self._max_errors = max_errors

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
        if isinstance(result, JsonColumn):
            return result
        if isinstance(result, ColumnarList):
            item_type = get_named_type(return_type)
            selected, *_ = self.collect_subfields(item_type, field_details_list)  # type: ignore[arg-type]
            return result.to_objects(
                item_type.name, [(name, details[0].node.name.value) for name, details in selected.items()]
            )
        if self._open_meter is not None and self._work_queue is not None:
            # Each event of a subscription is a response of its own, executed by a copy of the first context.
            self._meter = self._meter or self._open_meter()
            work = self._meter.charge([details.node for details in field_details_list], len(result))
            if not self._work_queue.try_start(work * len(result)):
                step = max(1, self._work_queue.quantum // work)
                return self._complete_in_turns(
                    return_type.of_type, field_details_list, info, path, list(result), position_context, step, work
                )
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    async def _complete_in_turns(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,  # noqa: ANN401
        info: Any,  # noqa: ANN401
        path: Any,  # noqa: ANN401
        items: Sequence[Any],
        position_context: Any,  # noqa: ANN401
        step: int,
        work: int,
    ) -> list[Any]:
        """Return the completed list, completed in parts of `step` entries.

        One part is completed in an iteration of the event loop. `work` is the work per entry.

        Raise RepeatedExcess if another list has exceeded a limit meanwhile.
        """
        assert self._work_queue is not None  # noqa: S101
        assert self._meter is not None  # noqa: S101
        completed: list[Any] = []
        for start in range(0, len(items), step):
            part = items[start : start + step]
            await self._work_queue.wait(work * len(part))
            self._meter.check()
            unfinished = []
            try:
                for index, item in enumerate(part, start):
                    item_path = path.add_key(index, None)
                    if self.complete_list_item_value(
                        item, completed, item_type, field_details_list, info, item_path, position_context
                    ):
                        unfinished.append(index)
            except Exception:
                self.settle_in_background([completed[index] for index in unfinished])
                raise
            # Their tasks are created here, so that their number is bounded too.
            for index, value in zip(
                unfinished, await self.gather_async_work([completed[index] for index in unfinished]), strict=True
            ):
                completed[index] = value
        return completed

    def handle_field_error(
        self,
        raw_error: Exception,
        return_type: GraphQLOutputType,
        field_details_list: Any,  # noqa: ANN401
        path: Any,  # noqa: ANN401
    ) -> None:
        """Add the error of a nullable field to those of the response, if it is useful.

        A repeated excess is left out, and errors above the limit of a response are only counted.
        """
        errors = self.collected_errors.errors
        if not is_non_null_type(return_type) and errors:
            cause = raw_error.original_error if isinstance(raw_error, GraphQLError) else raw_error
            if isinstance(cause, RepeatedExcess):
                return
            if self._max_errors is not None and len(errors) >= self._max_errors:
                self.collected_errors.add(errors[-1], path)
                return
        super().handle_field_error(raw_error, return_type, field_details_list, path)
