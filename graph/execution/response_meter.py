"""Limits on the entries and bytes of a response, before and during its execution.

The cost of an operation bounds its response before execution, except for lists of unknown length, such as the ports of a
region. The executor charges those to a meter when it has read them and before it completes their entries.
"""

from collections.abc import Iterable

from graphql import FieldNode

from graph.execution.document_limits import QueryLimits
from graph.execution.query_cost import OperationCost, Price, Variables
from resolvers.errors import RequestError


def find_excess(price: Price, limits: QueryLimits) -> RequestError | None:
    """Return the error of a response that exceeds a limit (QUERY_TOO_COSTLY, RESPONSE_TOO_LARGE)."""
    if price.entries > limits.max_cost:
        return RequestError(
            "QUERY_TOO_COSTLY",
            f"Query cost {price.entries:,} exceeds the limit of {limits.max_cost:,}; request fewer days, lanes or entries.",
            cost=price.entries,
            maxCost=limits.max_cost,
        )
    if price.bytes > limits.max_response_bytes:
        return RequestError(
            "RESPONSE_TOO_LARGE",
            f"Response of up to {price.bytes:,} bytes exceeds the limit of {limits.max_response_bytes:,};"
            " request fewer days, lanes, entries or fields, or use shorter aliases.",
            bytes=price.bytes,
            maxBytes=limits.max_response_bytes,
        )
    return None


class ResponseMeter:
    """Meter of one response: its maximum bytes, and the entries of its lists of unknown length."""

    def __init__(self, cost: OperationCost, variables: Variables, limits: QueryLimits) -> None:
        self._cost, self._variables, self._limits = cost, variables, limits
        self._price = Price(0, cost.total.evaluate(variables).bytes)

    def charge(self, nodes: Iterable[FieldNode], length: int) -> None:
        """Count a list that these nodes select, unless its size was known before. Raise RequestError."""
        entries, size = self._price
        for node in nodes:
            cost = self._cost.list_entries.get(id(node))
            if cost is not None:
                entries += length
                size += length * cost.evaluate(self._variables).bytes
        self._price = Price(entries, size)
        if (excess := find_excess(self._price, self._limits)) is not None:
            raise excess
