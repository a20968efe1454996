"""Executable schema with a document cache, limits, a timeout and a fast path.

Stock execution parses and validates every request and runs extension hooks. Together they need several times as long as a
small query itself. Here a document is parsed and validated once, lists are completed from columns, and two plain calls replace
the extensions.
"""

from collections.abc import Awaitable, Collection, Coroutine, Iterable, Sequence
from copy import copy
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple, Self, TypeVar

import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import GraphQLError, GraphQLFormattedError
from graphql import execute as core_execute
from strawberry.execution import optimized_is_awaitable
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from graph.admission import CostBudget, WorkQueue
from graph.authorization import may_introspect, require_scopes
from graph.cost_formula import CostEstimate
from graph.errors.argument_errors import describe_invalid_variables
from graph.execution.column_completion import ColumnarExecutionContext
from graph.execution.document_cache import Document, DocumentCache, Operation
from graph.execution.document_limits import QueryLimits
from graph.execution.document_parser import DocumentParser
from graph.execution.error_formatting import format_errors, was_executed
from graph.execution.query_cost import SizeLimits
from graph.execution.response_meter import ResponseMeter, find_excess
from graph.execution.timeout import Deadline, ExecutionTimeout
from graph.execution.variable_decoding import decode_variables
from resolvers.context import Limits, RequestContext
from telemetry import spans
from telemetry.request_record import record_code, record_operation, record_rows

# Tuples instead of sets: hashing an enum member is slower than comparing it with three.
ANY_OPERATION = tuple(OperationType)
ONLY_QUERIES: tuple[OperationType, ...] = (OperationType.QUERY,)
INTROSPECTION_DISABLED = "Introspection is disabled."
CONCURRENT_COST = 4
"""Maximum total cost of the queries in execution, in multiples of the maximum cost of a query.

A query of the maximum cost occupies the event loop for 40 ms.
"""
WORK_PER_ITERATION = 1_000
"""Entries and fields of lists that are completed in one iteration of the event loop: 5 to 20 ms."""
QUERIES_AND_MUTATIONS = (OperationType.QUERY, OperationType.MUTATION)
T = TypeVar("T")
Result = tuple[dict[str, Any] | None, list[GraphQLError] | None]
"""The data of an operation, or None if it was not executed, and its formatted errors."""


class OperationResult(NamedTuple):
    """Result of an operation.

    Attributes:
        is_shared: the result is the same for every caller with the `read` scope until prices or locations change.
        estimate: None for an invalid document.
        reports_changes: the operation is a mutation, or reads what else changes: batches, for instance.
    """

    data: dict[str, Any] | None
    errors: list[GraphQLFormattedError]
    was_executed: bool
    is_shared: bool
    estimate: CostEstimate | None
    reports_changes: bool = False


class OperationNotAllowed(Exception):
    """The operation does not exist, or its kind is not allowed over this transport.

    `kind` is None for an operation that does not exist. `code` is the error code.
    """

    def __init__(self, kind: OperationType | None) -> None:
        match kind:
            case None:
                self.code, message = "UNKNOWN_OPERATION", "Unknown operationName (or several operations without one)."
            case OperationType.SUBSCRIPTION:
                self.code = "STREAM_REQUIRED"
                message = "Subscriptions need Accept: text/event-stream or a WebSocket."
            case _:
                self.code = "METHOD_NOT_ALLOWED"
                message = f"{kind.value.capitalize()}s are not allowed over GET; use POST."
        super().__init__(message)
        record_code(self.code)


def select_operation(document: Document, name: str | None, allowed: Collection[OperationType]) -> Operation:
    """Return the requested operation. Raise OperationNotAllowed if it is unknown or not allowed."""
    operation = document.find_operation(name)
    if operation is None or operation.kind not in allowed:
        raise OperationNotAllowed(None if operation is None else operation.kind)
    return operation


class Schema(strawberry.Schema):
    """Schema with a document cache, limits and a timeout. It does not run extensions."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(execution_context_class=ColumnarExecutionContext, **options)
        self._apply_limits(QueryLimits(), Limits(), suggest=True)

    def with_limits(self, limits: QueryLimits, request_limits: Limits, *, suggest: bool) -> Self:
        """Return a copy of the schema with these limits and a separate document cache.

        `request_limits` bound the cost estimates. Without `suggest`, errors suggest no similar names of the schema.
        """
        limited = copy(self)
        limited._apply_limits(limits, request_limits, suggest=suggest)
        return limited

    def _apply_limits(self, limits: QueryLimits, request_limits: Limits, *, suggest: bool) -> None:
        self.limits = limits
        self.suggest = suggest
        self._deadline = Deadline(request_limits.execution_seconds)
        self._cost_budget = CostBudget(CONCURRENT_COST * limits.max_cost)
        self._work_queue = WorkQueue(WORK_PER_ITERATION)
        sizes = SizeLimits(request_limits.max_days, request_limits.max_page_size)
        self.documents = DocumentCache(self._schema, limits, sizes, suggest=suggest)
        self._parser = DocumentParser(self.documents)

    async def get_document(self, text: str) -> Document | list[GraphQLError]:
        """Return the document, or its errors."""
        return await self._parser.get(text)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,  # noqa: ANN401
        root_value: Any | None = None,  # noqa: ANN401, ARG002
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> ExecutionResult:
        """Execute an operation. Raise OperationNotAllowed or PermissionDenied if it is refused."""
        document = await self.get_document(query or "")
        if isinstance(document, list):
            return ExecutionResult(None, self.format_errors(document))
        operation = select_operation(document, operation_name, tuple(allowed_operation_types or ANY_OPERATION))
        variables = variable_values or {}
        estimate = operation.cost.total.evaluate(variables)
        return ExecutionResult(*await self._run(document, operation, variables, context_value, estimate))

    async def execute_operation(
        self,
        text: str,
        variables: dict[str, Any],
        operation_name: str | None,
        context: RequestContext,
        *,
        only_queries: bool,
        only_cost: bool = False,
    ) -> OperationResult:
        """Execute an operation and return its serializable result, or only the estimated cost.

        Raise OperationNotAllowed or PermissionDenied if it is refused.
        """
        document = await self.get_document(text)
        if isinstance(document, list):
            return OperationResult(
                None, [error.formatted for error in self.format_errors(document) or ()], False, False, None
            )
        operation = select_operation(document, operation_name, ONLY_QUERIES if only_queries else QUERIES_AND_MUTATIONS)
        estimate = operation.cost.total.evaluate(variables)
        record_operation(operation.kind.value, operation.name)
        if only_cost:
            return OperationResult(None, [], False, False, estimate)
        data, errors = await self._run(document, operation, variables, context, estimate)
        record_rows(data)
        is_executed, is_shared = was_executed(data, errors), operation.is_shared
        formatted = [error.formatted for error in errors or ()]
        return OperationResult(
            data, formatted, is_executed, is_shared and not errors, estimate, is_executed and not is_shared
        )

    async def _run(
        self,
        document: Document,
        operation: Operation,
        variables: dict[str, Any],
        context: RequestContext,
        estimate: CostEstimate,
    ) -> Result:
        with (
            spans.NO_SPAN
            if spans.tracer is None
            else spans.tracer.span(operation.kind.value, operation.span_attributes)
        ):
            require_scopes(context.caller, operation.scopes)
            if refusal := self._policy_error(operation, context, estimate):
                return None, [refusal]
            if operation.kind is not OperationType.QUERY:
                # A replica may lack what the mutation builds on, and lacks what it has just changed.
                context.reads_primary = True
                # A mutation has no timeout: it must not stop half-way, and an upload waits for up to its `waitMs`.
                return await self._execute(document, operation, variables, context)
            try:
                return await self._run_bounded(
                    self._execute(document, operation, variables, context), operation, estimate
                )
            except ExecutionTimeout:
                return None, [self._timeout_error()]

    def _run_bounded(self, work: Coroutine[Any, Any, T], operation: Operation, estimate: CostEstimate) -> Awaitable[T]:
        """Return the result of the work within the budget. Raise ExecutionTimeout if late."""
        cost = operation.cost.bound_entries(estimate, self.limits.max_cost)
        return self._deadline.run(self._cost_budget.run(work, cost))

    async def _execute(
        self, document: Document, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> Result:
        plan = operation.plan
        if plan is not None and (bound := plan.bind(variables)) is not None:
            data, errors = await plan.execute(bound, context)
            return data, self.format_errors(errors)
        decoded = decode_variables(operation.node, variables, self.limits.max_errors)
        if isinstance(decoded, GraphQLError):
            return None, self.format_errors([decoded])
        execution = core_execute(
            self._schema,
            document.tree,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            **self._executor_options(operation, decoded, context),
        )
        result: CoreResult = await execution if isawaitable(execution) else execution
        return result.data, self._format_execution_errors(document, operation, decoded, result.errors)

    def _executor_options(
        self, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> dict[str, Any]:
        """Return the keyword arguments shared by `graphql.execute` and `graphql.subscribe`."""
        context.statistics_fields = operation.statistics_fields
        return {
            "context_value": context,
            "variable_values": variables,
            "operation_name": operation.name,
            "hide_suggestions": not self.suggest,
            "executor_class": ColumnarExecutionContext,
            "operation_extensions": None,
            "open_meter": partial(ResponseMeter, operation.cost, variables, self.limits),
            "work_queue": self._work_queue,
            "max_errors": self.limits.max_errors,
        }

    def _policy_error(
        self, operation: Operation, context: RequestContext, estimate: CostEstimate
    ) -> GraphQLError | None:
        """Return an error if the operation exceeds a limit or needs disabled introspection."""
        if (excess := find_excess(estimate, self.limits)) is not None:
            record_code(excess.code)
            return GraphQLError(str(excess), extensions=excess.extensions)
        if operation.is_introspective and not may_introspect(context):
            record_code("INTROSPECTION_CLOSED")
            return GraphQLError(INTROSPECTION_DISABLED, extensions={"code": "INTROSPECTION_CLOSED"})
        return None

    def _timeout_error(self) -> GraphQLError:
        """Return the error of a query that exceeded the timeout."""
        seconds = self._deadline.seconds
        message = f"Query timed out after {seconds:g} s; request less data at once."
        return GraphQLError(message, extensions={"code": "EXECUTION_TIMEOUT"})

    def _format_execution_errors(
        self,
        document: Document,
        operation: Operation,
        variables: dict[str, Any],
        errors: Sequence[GraphQLError] | None,
    ) -> list[GraphQLError] | None:
        """Return the errors of the executor for the client.

        Errors of variables are described in GraphQL notation.
        """
        if not errors:
            return None
        shown_schema = self._schema if self.suggest else None
        # Errors above the limit are only counted.
        shown, others = errors[: self.limits.max_errors], errors[self.limits.max_errors :]
        described = describe_invalid_variables(document.tree, operation.node, variables, shown, shown_schema)
        return self.format_errors([*described, *others])

    def format_errors(self, errors: Sequence[GraphQLError] | None) -> list[GraphQLError] | None:
        """Return the errors of a result for the client, or None if there are none."""
        return format_errors(errors, self.limits.max_errors)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Do nothing: `graph.execution.error_formatting` logs internal errors."""
