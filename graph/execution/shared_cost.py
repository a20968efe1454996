"""Cost of operations whose responses may be shared, before their execution."""

from typing import Any

from graph.execution.executable_schema import Schema
from graph.execution.response_meter import find_excess
from resolvers.caller import Caller
from telemetry.request_record import record_operation


async def estimate_shared(
    schema: Schema, text: str, variables: dict[str, Any], operation_name: str | None, caller: Caller
) -> int:
    """Return the estimated cost of a query whose response all callers with the read scope share.

    Return 0 for any other operation, and for one that the execution will refuse.
    """
    document = await schema.get_document(text)
    operation = None if isinstance(document, list) else document.find_operation(operation_name)
    if operation is None or not operation.is_shared or operation.is_introspective:
        return 0
    estimate = operation.cost.total.evaluate(variables)
    if not caller.scopes >= operation.scopes or find_excess(estimate, schema.limits) is not None:
        return 0
    record_operation(operation.kind.value, operation.name)
    return estimate.entries
