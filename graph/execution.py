"""From a text to an answer, quicker than the stock way.

Stock execution parses and validates every request anew and passes it through hooks for extensions, which together take
several times as long as a small query itself. Here a document is parsed and validated once, lists are completed from
columns, and what extensions would do are two plain calls.
"""

from collections.abc import Iterable
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import GraphQLError
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

ANY_OPERATION = frozenset(OperationType)


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

    def is_shared(self, query: str, operation_name: str | None) -> bool:
        """Return whether a query that was executed answers the same to everybody until prices or locations change."""
        document = self.documents.find(query)
        if isinstance(document, list):
            return False
        operation = document.find_operation(operation_name)
        return operation is not None and (operation.name.value if operation.name else None) in document.shared

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave errors to `graph.errors`, which logs those that are ours."""
