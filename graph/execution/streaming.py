"""Execution of streamed operations, for WebSocket connections and server-sent events."""

from collections.abc import Awaitable, Iterable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any

from graphql import ExecutionResult as CoreResult
from graphql import GraphQLError, subscribe
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType as Kind

from graph.execution.authorization import PermissionDenied, require_scopes
from graph.execution.document_cache import Document, Operation
from graph.execution.executable_schema import OperationNotAllowed, Schema, was_executed
from resolvers.context import RequestContext
from telemetry import spans
from telemetry.request_record import record_operation, track_subscription


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
        document = await self.get_document(query or "")
        operation = document.find_operation(operation_name) if isinstance(document, Document) else None
        if operation is not None:
            record_operation(operation.kind.value, operation.name)
        if isinstance(document, Document) and operation and operation.kind is Kind.SUBSCRIPTION:
            return self._subscribe(document, operation, variable_values or {}, context)
        result = self.execute(
            query, variable_values, context, root_value, operation_name, allowed_operation_types, operation_extensions
        )
        return _single_result_stream(result)

    async def _subscribe(
        self, document: Document, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> StreamResult:
        try:
            require_scopes(context.caller, operation.scopes)
        except PermissionDenied as error:
            yield PreExecutionError(None, [error.as_graphql_error()])
            return
        if refusal := self._policy_error(operation, context, operation.cost.total.evaluate(variables)):
            yield PreExecutionError(None, [refusal])
            return
        # Only the start is traced: a subscription may last for days.
        with (
            spans.NO_SPAN
            if spans.tracer is None
            else spans.tracer.span(operation.kind.value, operation.span_attributes)
        ):
            subscription = subscribe(
                self._schema, document.tree, **self._executor_options(operation, variables, context)
            )
            results = await subscription if isawaitable(subscription) else subscription
        if isinstance(results, CoreResult):
            errors = self._format_execution_errors(document, operation, variables, results.errors)
            yield PreExecutionError(None, errors)
            return
        try:
            async with aclosing(results):  # type: ignore[type-var]
                with track_subscription():
                    async for result in results:
                        yield ExecutionResult(result.data, self.format_errors(result.errors))
        except Exception as error:
            # The executor does not catch exceptions of the source stream.
            yield ExecutionResult(None, self.format_errors([GraphQLError(str(error), original_error=error)]))


async def _single_result_stream(execution: Awaitable[ExecutionResult]) -> StreamResult:
    try:
        result = await execution
    except OperationNotAllowed as error:
        yield PreExecutionError(None, [GraphQLError(str(error), extensions={"code": error.code})])
    except PermissionDenied as error:
        yield PreExecutionError(None, [error.as_graphql_error()])
    else:
        yield result if was_executed(result.data, result.errors) else PreExecutionError(None, result.errors)
