"""Where work is told to whoever traces it: to nobody, unless the server has set somebody.

Then it costs no more than looking at one name. What is told is what kind of work it is and how much, never what with.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """The work of a request as a whole."""

    trace_id: str

    def set_attributes(self, attributes: Attributes) -> None:
        """Add what is known by now."""


class Tracer(Protocol):
    """Whoever traces."""

    def request(
        self, name: str, headers: Sequence[tuple[bytes, bytes]], attributes: Attributes
    ) -> AbstractContextManager[Span]:
        """Return what is entered while a request is answered. Its headers may tell what it is a part of."""

    def span(
        self, name: str, attributes: Attributes | None = None, links: Sequence[object] | None = None
    ) -> AbstractContextManager[object]:
        """Return what is entered while a part of the work is done, for what is at work here or for others (`causes`)."""

    def current(self) -> object:
        """Return what is at work here, as a cause of what is done elsewhere."""


tracer: Tracer | None = None
NO_SPAN = nullcontext()
"""What is entered instead of a span where nobody traces."""


def traced(
    work: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Have the work told under its name."""
    name = work.__name__.strip("_").replace("_", " ")

    @wraps(work)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with NO_SPAN if tracer is None else tracer.span(name):
            return await work(*args, **kwargs)

    return wrapped
