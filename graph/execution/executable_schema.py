"""From a text to an answer, quicker than the stock way.

Stock execution parses and validates every request anew and passes it through hooks for extensions, which together take
several times as long as a small query itself. Here a document is parsed and validated once, lists are completed from
columns, and what extensions would do are two plain calls.
"""

from collections.abc import Collection, Iterable, Sequence
from copy import copy
from inspect import isawaitable
from typing import Any, NamedTuple, Self

import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import GraphQLError, GraphQLFormattedError
from graphql import execute as core_execute
from strawberry.execution import optimized_is_awaitable
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from graph.execution.authorization import admit, may_introspect
from graph.execution.column_completion import ColumnExecutor
from graph.execution.document_cache import Document, Documents, Operation
from graph.execution.document_limits import QueryLimits
from graph.execution.error_formatting import present_errors
from graph.execution.query_cost import SizeLimits
from graph.execution.timeout import Deadline, ExecutionTimeout
from graph.execution.variable_decoding import decode_variables
from resolvers.context import Limits, RequestContext
from telemetry import spans
from telemetry.request_record import note_code, note_operation, note_rows

# These are tuples: to hash a member of an enumeration takes longer than to compare it with three.
ANY_OPERATION = tuple(OperationType)
ONLY_QUERIES: tuple[OperationType, ...] = (OperationType.QUERY,)
SCHEMA_CLOSED = "This server does not tell its schema to everybody: __schema and __type are closed."
QUERIES_AND_MUTATIONS = (OperationType.QUERY, OperationType.MUTATION)
Result = tuple[dict[str, Any] | None, list[GraphQLError] | None]
"""The data of an operation that was executed or not, and its errors, as they may leave."""


class Outcome(NamedTuple):
    """What became of an operation. `is_shared`: it answers the same to everybody until prices or locations change.

    `cost` is None for a document that is wrong.
    """

    data: dict[str, Any] | None
    errors: list[GraphQLFormattedError]
    was_executed: bool
    is_shared: bool
    cost: int | None


class OperationRefused(Exception):
    """An operation of a kind that is not executed here, or None: the request names no operation. It has a `code`."""

    def __init__(self, kind: OperationType | None) -> None:
        match kind:
            case None:
                self.code, message = "UNKNOWN_OPERATION", "operationName names none of the document's operations."
            case OperationType.SUBSCRIPTION:
                self.code = "STREAM_REQUIRED"
                message = "A subscription is answered as a stream: send Accept: text/event-stream, or use a websocket."
            case _:
                self.code, message = "METHOD_NOT_ALLOWED", f"A {kind.value} is not taken by GET: send it by POST."
        super().__init__(message)
        note_code(self.code)


def choose_operation(document: Document, name: str | None, allowed: Collection[OperationType]) -> Operation:
    """Return the operation that a request means. Raise OperationRefused."""
    operation = document.find_operation(name)
    if operation is None or operation.kind not in allowed:
        raise OperationRefused(None if operation is None else operation.kind)
    return operation


def was_executed(data: object, errors: Sequence[GraphQLError] | None) -> bool:
    """Return whether the errors of a result, if any, come from its execution: only those stand at a place in the data."""
    return data is not None or any(error.path for error in errors or ())


class Schema(strawberry.Schema):
    """A schema that executes queries and mutations in this way. Extensions are not run."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(execution_context_class=ColumnExecutor, **options)
        self._hold_to(QueryLimits(), Limits(), suggest=True)

    def limited(self, limits: QueryLimits, request_limits: Limits, *, suggest: bool) -> Self:
        """Return the schema with documents of its own, held to the limits; they are priced by those of requests.

        Without `suggest` no error tells names of the schema that are near to a misspelt one.
        """
        limited = copy(self)
        limited._hold_to(limits, request_limits, suggest=suggest)
        return limited

    def _hold_to(self, limits: QueryLimits, request_limits: Limits, *, suggest: bool) -> None:
        self.limits = limits
        self.suggest = suggest
        self._deadline = Deadline(request_limits.execution_seconds)
        sizes = SizeLimits(request_limits.max_days, request_limits.max_page_size)
        self.documents = Documents(self._schema, limits, sizes, suggest=suggest)

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
        """Execute a query or mutation. Raise OperationRefused or NotAdmitted for one that is not to be executed."""
        document = self.documents.find(query or "")
        if isinstance(document, list):
            return ExecutionResult(None, self.present(document))
        operation = choose_operation(document, operation_name, tuple(allowed_operation_types or ANY_OPERATION))
        variables = variable_values or {}
        cost = operation.cost.of(variables)
        return ExecutionResult(*await self._run(document, operation, variables, context_value, cost))

    async def answer(
        self,
        text: str,
        variables: dict[str, Any],
        operation_name: str | None,
        context: RequestContext,
        *,
        only_queries: bool,
        only_cost: bool = False,
    ) -> Outcome:
        """Execute an operation, unless only its cost is asked for, and return what there is to send.

        Raise OperationRefused or NotAdmitted for one that is not to be executed.
        """
        document = self.documents.find(text)
        if isinstance(document, list):
            return Outcome(None, [error.formatted for error in self.present(document) or ()], False, False, None)
        operation = choose_operation(document, operation_name, ONLY_QUERIES if only_queries else QUERIES_AND_MUTATIONS)
        cost = operation.cost.of(variables)
        note_operation(operation.kind.value, operation.name)
        if only_cost:
            return Outcome(None, [], False, False, cost)
        data, errors = await self._run(document, operation, variables, context, cost)
        note_rows(data)
        if not errors:
            return Outcome(data, [], True, operation.is_shared, cost)
        return Outcome(data, [error.formatted for error in errors], was_executed(data, errors), False, cost)

    async def _run(
        self,
        document: Document,
        operation: Operation,
        variables: dict[str, Any],
        context: RequestContext,
        cost: int,
    ) -> Result:
        with spans.NOTHING if spans.tracer is None else spans.tracer.span(operation.kind.value, operation.facts):
            admit(context.caller, operation.scopes)
            if refusal := self.check(operation, context, cost):
                return None, [refusal]
            execution = self._execute(document, operation, variables, context)
            if operation.kind is not OperationType.QUERY:
                # What has begun to write is not stopped half-way, and an upload waits as long as it says.
                return await execution
            try:
                return await self._deadline.hold(execution)
            except ExecutionTimeout:
                return None, [self._refuse_time()]

    async def _execute(
        self, document: Document, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> Result:
        plan = operation.plan
        if plan is not None and (questions := plan.read(variables)) is not None:
            data, errors = await plan.answer(questions, context)
            return data, self.present(errors)
        begun = core_execute(
            self._schema,
            document.tree,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            **self.how_to(operation, variables, context),
        )
        found: CoreResult = await begun if isawaitable(begun) else begun
        return found.data, self.present(found.errors)

    def how_to(self, operation: Operation, variables: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """Return what the executor is told of an operation, whether it gives one result or many."""
        return {
            "context_value": context,
            "variable_values": decode_variables(operation.node, variables),
            "operation_name": operation.name,
            "hide_suggestions": not self.suggest,
            "executor_class": ColumnExecutor,
            "operation_extensions": None,
        }

    def check(self, operation: Operation, context: RequestContext, cost: int) -> GraphQLError | None:
        """Return why the operation is not executed for the caller, if so: it costs too much, or the schema is closed."""
        if cost > self.limits.max_cost:
            return self._refuse_cost(cost)
        if operation.is_introspective and not may_introspect(context):
            note_code("INTROSPECTION_CLOSED")
            return GraphQLError(SCHEMA_CLOSED, extensions={"code": "INTROSPECTION_CLOSED"})
        return None

    def _refuse_cost(self, cost: int) -> GraphQLError:
        """Return the error of an operation that costs too much."""
        note_code("QUERY_TOO_COSTLY")
        max_cost = self.limits.max_cost
        message = f"The operation costs {cost:,}, at most {max_cost:,} may be: ask for fewer days, lanes or entries."
        return GraphQLError(message, extensions={"code": "QUERY_TOO_COSTLY", "cost": cost, "maxCost": max_cost})

    def _refuse_time(self) -> GraphQLError:
        """Return the error of a query that took too long."""
        seconds = self._deadline.seconds
        message = f"The query took longer than {seconds:g} seconds and was stopped. Ask for less at once."
        return GraphQLError(message, extensions={"code": "EXECUTION_TIMEOUT"})

    def present(self, errors: Sequence[GraphQLError] | None) -> list[GraphQLError] | None:
        """Return the errors of a result as they may leave, or None for none."""
        return present_errors(errors, self.limits.max_errors)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave errors to `graph.execution.error_formatting`, which logs those that are ours."""
