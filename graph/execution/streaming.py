"""Execution of streamed operations, for WebSocket connections and server-sent events."""

from collections.abc import AsyncIterable, Awaitable, Iterable
from contextlib import aclosing
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple

from graphql import ExecutionResult as CoreResult
from graphql import (
    Executor,
    GraphQLError,
    create_source_event_stream,
    execute_subscription_event,
    map_source_to_response_event,
)
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType as Kind

from graph.authorization import PermissionDenied, require_scopes
from graph.cost_formula import CostEstimate
from graph.execution.document_cache import Document, Operation
from graph.execution.error_formatting import was_executed
from graph.execution.executable_schema import OperationNotAllowed, Schema
from graph.execution.timeout import ExecutionTimeout
from graph.execution.variable_decoding import decode_variables
from resolvers.context import RequestContext
from telemetry import spans
from telemetry.request_record import record_operation, track_subscription

LOCATION_ALIASES = "locationAliases"
"""Entry of `extensions` with the keys of the locations that the request names in another way."""


class Events(NamedTuple):
    """Source events of a subscription, and the executor that completes them."""

    executor: Executor[Any]
    source: AsyncIterable[Any]


class StreamingSchema(Schema):
    """Schema that also executes subscriptions, with the same cache and error formatting."""

    async def get_kind(self, query: str, operation_name: str | None) -> Kind | None:
        """Return the kind of the operation.

        Return None if the document is invalid or has no such operation.
        """
        document = await self.get_document(query)
        operation = document.find_operation(operation_name) if isinstance(document, Document) else None
        return None if operation is None else operation.kind

    async def is_subscription(self, query: str, operation_name: str | None) -> bool:
        """Return whether the operation is a subscription; False for an invalid document."""
        return await self.get_kind(query, operation_name) is Kind.SUBSCRIPTION

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,  # noqa: ANN401
        root_value: Any | None = None,  # noqa: ANN401
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[Kind] | None = None,
    ) -> StreamResult:
        """Return the results of a subscription, or the single result of a query or mutation.

        Each operation has a separate context, because operations of one connection must not share loaded data.
        """
        context = RequestContext(context_value.app, context_value.caller)
        context.reads_primary = context_value.reads_primary
        document = await self.get_document(query or "")
        operation = document.find_operation(operation_name) if isinstance(document, Document) else None
        if operation is not None:
            record_operation(operation.kind.value, operation.name)
        if isinstance(document, Document) and operation and operation.kind is Kind.SUBSCRIPTION:
            return self._subscribe(document, operation, variable_values or {}, context)
        result = self.execute(
            query, variable_values, context, root_value, operation_name, allowed_operation_types, operation_extensions
        )
        return _single_result_stream(result, context)

    async def _subscribe(
        self, document: Document, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> StreamResult:
        try:
            require_scopes(context.caller, operation.scopes)
        except PermissionDenied as error:
            yield PreExecutionError(None, [error.as_graphql_error()])
            return
        estimate = operation.cost.total.evaluate(variables)
        if refusal := self._policy_error(operation, context, estimate):
            yield PreExecutionError(None, [refusal])
            return
        decoded = decode_variables(operation.node, variables, self.limits.max_errors)
        if isinstance(decoded, GraphQLError):
            yield PreExecutionError(None, self.format_errors([decoded]))
            return
        # Only the start is traced: a subscription may last for days.
        with (
            spans.NO_SPAN
            if spans.tracer is None
            else spans.tracer.span(operation.kind.value, operation.span_attributes)
        ):
            events = await self._open_events(document, operation, decoded, context)
        if not isinstance(events, Events):
            yield PreExecutionError(None, self._format_execution_errors(document, operation, decoded, events))
            return
        results = map_source_to_response_event(*events, partial(self._execute_event, operation, estimate))
        try:
            async with aclosing(results):
                with track_subscription():
                    async for result in results:
                        yield ExecutionResult(result.data, self.format_errors(result.errors))
        except Exception as error:
            # The executor does not catch exceptions of the source stream.
            yield ExecutionResult(None, self.format_errors([GraphQLError(str(error), original_error=error)]))

    async def _open_events(
        self, document: Document, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> "Events | list[GraphQLError] | None":
        """Return the source events of a subscription, or the errors of its start."""
        options = self._executor_options(operation, variables, context)
        build, values = options.pop("executor_class").build, options.pop("variable_values")
        executor = build(self._schema, document.tree, raw_variable_values=values, **options)
        if isinstance(executor, list):
            return executor
        opening = create_source_event_stream(executor)
        source = await opening if isawaitable(opening) else opening
        return source.errors if isinstance(source, CoreResult) else Events(executor, source)

    async def _execute_event(self, operation: Operation, estimate: CostEstimate, executor: Executor[Any]) -> CoreResult:
        """Return the result of an event, within the budget and the deadline of a query."""
        try:
            return await self._run_bounded(_complete_event(executor), operation, estimate)
        except ExecutionTimeout:
            return CoreResult(None, [self._timeout_error()])


async def _complete_event(executor: Executor[Any]) -> CoreResult:
    execution = execute_subscription_event(executor)
    return await execution if isawaitable(execution) else execution


async def _single_result_stream(execution: Awaitable[ExecutionResult], context: RequestContext) -> StreamResult:
    try:
        result = await execution
    except OperationNotAllowed as error:
        yield PreExecutionError(None, [GraphQLError(str(error), extensions={"code": error.code})])
    except PermissionDenied as error:
        yield PreExecutionError(None, [error.as_graphql_error()])
    else:
        if context.used_aliases is not None:
            result.extensions = {LOCATION_ALIASES: context.used_aliases}
        yield result if was_executed(result.data, result.errors) else PreExecutionError(None, result.errors)
