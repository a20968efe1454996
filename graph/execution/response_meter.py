"""Limits on the entries and bytes of a response, before and during its execution.

The cost of an operation bounds its response before execution, except for lists of unknown length, such as the ports of a
region. The executor charges those to a meter when it has read them and before it completes their entries. It counts each entry
and each of its fields, because nothing else bounds their number: `ports` below `ancestors` below `ports` is a short document.
"""

from collections.abc import Sequence

from graphql import FieldNode

from graph.cost_formula import CostEstimate, Variables
from graph.execution.document_limits import QueryLimits
from graph.execution.query_cost import OperationCost
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


class RepeatedExcess(RequestError):
    """Error of a list of a response that has exceeded a limit before."""


class ResponseMeter:
    """Meter of one response: its maximum bytes, and the content of its unsized lists."""

    def __init__(self, cost: OperationCost, variables: Variables, limits: QueryLimits) -> None:
        self._cost, self._variables, self._limits = cost, variables, limits
        self._estimate = CostEstimate(0, cost.total.evaluate(variables).bytes)
        self._excess: RequestError | None = None

    def check(self) -> None:
        """Raise RepeatedExcess if the response has exceeded a limit."""
        if (first := self._excess) is not None:
            raise RepeatedExcess(message=str(first), **first.extensions)  # type: ignore[arg-type]

    def charge(self, nodes: Sequence[FieldNode], length: int) -> int:
        """Count a list that these nodes select, and return the work per entry.

        Raise RequestError (RESPONSE_TOO_LARGE, QUERY_TOO_COSTLY). The work of an entry is itself and the number of its fields.
        """
        self.check()
        work = 1 + sum(self._cost.list_fields.get(id(node), 0) for node in nodes)
        entries, size = self._estimate
        for node in nodes:
            cost = self._cost.list_entries.get(id(node))
            if cost is not None:
                entries += length * (1 + cost.fields)
                size += length * cost.evaluate(self._variables).bytes
        self._estimate = CostEstimate(entries, size)
        if (excess := find_excess(self._estimate, self._limits)) is not None:
            self._excess = excess
            raise excess
        return work
