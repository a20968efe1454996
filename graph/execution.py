"""From a text to an answer, quicker than the stock way.

Stock execution parses and validates every request anew and passes it through hooks for extensions, which together take
several times as long as a small query itself. Here a document is parsed and validated once, lists are completed from
columns, and what extensions would do are two plain calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import GraphQLError, GraphQLFormattedError
from graphql import execute as core_execute
from strawberry.exceptions import MissingQueryError
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from graph.columns import ColumnExecutor
from graph.decoding import decode_variables
from graph.documents import Documents
from graph.errors import present_error
from resolvers.context import RequestContext

ANY_OPERATION = frozenset(OperationType)
ONLY_QUERIES = frozenset({OperationType.QUERY})
QUERIES_AND_MUTATIONS = frozenset({OperationType.QUERY, OperationType.MUTATION})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an operation. `is_shared`: it answers the same to everybody until prices or locations change."""

    data: dict[str, Any] | None
    errors: list[GraphQLFormattedError]
    was_executed: bool
    is_shared: bool


class OperationRefused(Exception):
    """An operation of a kind (`mutation`, `subscription`) that is not executed here; None: the request names no operation."""

    def __init__(self, kind: str | None) -> None:
        super().__init__(kind)
        self.kind = kind


class Schema(strawberry.Schema):
    """A schema that executes queries and mutations in this way. Extensions are not run."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(execution_context_class=ColumnExecutor, **options)
        self.documents = Documents(self._schema)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,  # noqa: ANN401
        root_value: Any | None = None,  # noqa: ANN401
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Execute a query or mutation. Raise what the base class raises for the wrong kind of operation."""
        if not query:
            raise MissingQueryError
        document = self.documents.find(query)
        if isinstance(document, list):
            return ExecutionResult(None, [present_error(error) for error in document])
        operation = document.find_operation(operation_name)
        if operation is None:
            raise CannotGetOperationTypeError(operation_name)
        kind = OperationType(operation.operation.value)
        if kind not in (allowed_operation_types or ANY_OPERATION):
            raise InvalidOperationTypeError(kind)
        result = core_execute(
            self._schema,
            document.tree,
            root_value=root_value,
            context_value=context_value,
            variable_values=decode_variables(operation, variable_values or {}),
            operation_name=operation_name,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            executor_class=ColumnExecutor,
            operation_extensions=operation_extensions,
        )
        found: CoreResult = await result if isawaitable(result) else result
        return ExecutionResult(found.data, [present_error(error) for error in found.errors or ()] or None)

    async def answer(
        self,
        text: str,
        variables: dict[str, Any],
        operation_name: str | None,
        context: RequestContext,
        *,
        only_queries: bool,
    ) -> Outcome:
        """Execute an operation and return what there is to send. Raise OperationRefused for one that is not to be executed."""
        allowed = ONLY_QUERIES if only_queries else QUERIES_AND_MUTATIONS
        try:
            result = await self.execute(
                text, variables, context, operation_name=operation_name, allowed_operation_types=allowed
            )
        except CannotGetOperationTypeError as error:
            raise OperationRefused(None) from error
        except InvalidOperationTypeError as error:
            raise OperationRefused(error.operation_type.value) from error
        errors = result.errors or []
        was_executed = result.data is not None or any(error.path for error in errors)
        is_shared = not errors and self._is_shared(text, operation_name)
        return Outcome(result.data, [error.formatted for error in errors], was_executed, is_shared)

    def _is_shared(self, text: str, operation_name: str | None) -> bool:
        document = self.documents.find(text)
        if isinstance(document, list):
            return False
        operation = document.find_operation(operation_name)
        return operation is not None and (operation.name.value if operation.name else None) in document.shared

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave errors to `graph.errors`, which logs those that are ours."""
