"""How operations run whose answer is a stream: over WebSocket, where one connection carries many, and as server-sent events."""

from collections.abc import Awaitable, Iterable
from contextlib import aclosing
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from graphql import ExecutionResult as CoreResult
from graphql import GraphQLError, OperationType, subscribe
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType as Kind

from graph.columns import ColumnExecutor
from graph.decoding import decode_variables
from graph.documents import Document
from graph.errors import present_error
from graph.execution import Schema


class StreamingSchema(Schema):
    """A schema whose streams are parsed, and their errors presented, as single answers are."""

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,  # noqa: ANN401
        root_value: Any | None = None,  # noqa: ANN401
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[Kind] | None = None,
    ) -> StreamResult:
        """Return the results of an operation: those of a subscription, or the one of a query or mutation.

        It gets a context of its own: a connection's operations must not share what one of them has loaded.
        """
        context = None if context_value is None else replace(context_value)
        document = self.documents.find(query or "")
        operation = document.find_operation(operation_name) if isinstance(document, Document) else None
        if isinstance(document, Document) and operation and operation.operation is OperationType.SUBSCRIPTION:
            variables = decode_variables(operation, variable_values or {})
            return self._subscribe(document, variables, context, operation_name)
        answer = self.execute(
            query, variable_values, context, root_value, operation_name, allowed_operation_types, operation_extensions
        )
        return _answer_once(answer)

    async def _subscribe(
        self, document: Document, variables: dict[str, Any], context: object, operation_name: str | None
    ) -> StreamResult:
        begun = subscribe(
            self._schema,
            document.tree,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            executor_class=ColumnExecutor,
            operation_extensions=None,
        )
        results = await begun if isawaitable(begun) else begun
        if isinstance(results, CoreResult):
            yield PreExecutionError(None, _present(results.errors))
            return
        try:
            async with aclosing(results):  # type: ignore[type-var]
                async for result in results:
                    yield ExecutionResult(result.data, _present(result.errors))
        except Exception as error:
            # The executor leaves what a source raises to its caller.
            yield ExecutionResult(None, _present([GraphQLError(str(error), original_error=error)]))


async def _answer_once(answer: Awaitable[ExecutionResult]) -> StreamResult:
    try:
        result = await answer
    except CannotGetOperationTypeError:
        yield _refuse("UNKNOWN_OPERATION", "operationName names none of the document's operations.")
    except InvalidOperationTypeError as error:
        yield _refuse("METHOD_NOT_ALLOWED", f"A {error.operation_type.value} is not taken by GET: send it by POST.")
    else:
        was_executed = result.data is not None or any(error.path for error in result.errors or ())
        yield result if was_executed else PreExecutionError(None, result.errors)


def _refuse(code: str, message: str) -> PreExecutionError:
    return PreExecutionError(None, [GraphQLError(message, extensions={"code": code})])


def _present(errors: list[GraphQLError] | None) -> list[GraphQLError] | None:
    return [present_error(error) for error in errors or ()] or None
