"""Limits on the entries and bytes of a response, before and during its execution.

The cost of an operation bounds its response before execution, except for lists of unknown length, such as the ports of a
region. The executor charges those to a meter when it has read them and before it completes their entries.
"""

from collections.abc import Iterable

from graphql import FieldNode

from graph.execution.document_limits import QueryLimits
from graph.execution.query_cost import CostEstimate, OperationCost, Variables
from resolvers.errors import RequestError


def find_excess(estimate: CostEstimate, limits: QueryLimits) -> RequestError | None:
    """Return the error of a response over a limit (QUERY_TOO_COSTLY, RESPONSE_TOO_LARGE)."""
    if estimate.entries > limits.max_cost:
        return RequestError(
            "QUERY_TOO_COSTLY",
            f"Query cost {estimate.entries:,} exceeds the limit of {limits.max_cost:,}; request fewer days, lanes or entries.",
            cost=estimate.entries,
            maxCost=limits.max_cost,
        )
    if estimate.bytes > limits.max_response_bytes:
        return RequestError(
            "RESPONSE_TOO_LARGE",
            f"Response of up to {estimate.bytes:,} bytes exceeds the limit of {limits.max_response_bytes:,};"
            " request fewer days, lanes, entries or fields, or use shorter aliases.",
            bytes=estimate.bytes,
            maxBytes=limits.max_response_bytes,
        )
    return None


class ResponseMeter:
    """Meter of one response: its maximum bytes, and the entries of its lists of unknown length."""

    def __init__(self, cost: OperationCost, variables: Variables, limits: QueryLimits) -> None:
        self._cost, self._variables, self._limits = cost, variables, limits
        self._estimate = CostEstimate(0, cost.total.evaluate(variables).bytes)

    def charge(self, nodes: Iterable[FieldNode], length: int) -> None:
        """Count a list that these nodes select, unless its size was known before.

        Raise RequestError.
        """
        entries, size = self._estimate
        for node in nodes:
            cost = self._cost.list_entries.get(id(node))
            if cost is not None:
                entries += length
                size += length * cost.evaluate(self._variables).bytes
        self._estimate = CostEstimate(entries, size)
        if (excess := find_excess(self._estimate, self._limits)) is not None:
            raise excess
