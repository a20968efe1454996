"""Tracing interface: other packages report work as spans, and the server installs a tracer.

Without a tracer a span costs one lookup of a global name. Spans contain the kind and the amount of work, never its arguments.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """Span of a whole request."""

    trace_id: str

    def set_attributes(self, attributes: Attributes) -> None:
        """Add attributes to the span."""


class Tracer(Protocol):
    """Receiver of spans."""

    def request(
        self, name: str, headers: Sequence[tuple[bytes, bytes]], attributes: Attributes
    ) -> AbstractContextManager[Span]:
        """Return the context manager of a request's span. Its headers may name a parent span."""

    def span(
        self, name: str, attributes: Attributes | None = None, links: Sequence[object] | None = None
    ) -> AbstractContextManager[object]:
        """Return the context manager of a span.

        Its parent is the first of `links`, by default the current span. It is linked with the others.
        """

    def current(self) -> object:
        """Return the current span, as a link for a span of another task."""


tracer: Tracer | None = None
NO_SPAN = nullcontext()
"""Stands in for a span without a tracer."""


def traced(
    work: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Decorate a coroutine function so that each call is a span with the function's name."""
    name = work.__name__.strip("_").replace("_", " ")

    @wraps(work)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with NO_SPAN if tracer is None else tracer.span(name):
            return await work(*args, **kwargs)

    return wrapped
