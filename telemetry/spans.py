"""Where work is told to whoever traces it: to nobody, unless the server has set somebody.

Then it costs no more than looking at one name. What is told is what kind of work it is and how much, never what with.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

Facts = Mapping[str, str | int]


class Span(Protocol):
    """The work of a request as a whole."""

    trace_id: str

    def describe(self, facts: Facts) -> None:
        """Add what is known by now."""


class Tracer(Protocol):
    """Whoever traces."""

    def request(self, name: str, headers: Sequence[tuple[bytes, bytes]], facts: Facts) -> AbstractContextManager[Span]:
        """Return what is entered while a request is answered. Its headers may tell what it is a part of."""

    def span(
        self, name: str, facts: Facts | None = None, causes: Sequence[object] | None = None
    ) -> AbstractContextManager[object]:
        """Return what is entered while a part of the work is done, for what is at work here or for others (`causes`)."""

    def here(self) -> object:
        """Return what is at work here, as a cause of what is done elsewhere."""


tracer: Tracer | None = None
NOTHING = nullcontext()
"""What is entered instead of a span where nobody traces."""


def traced(
    work: Callable[Given, Coroutine[Any, Any, Returned]],
) -> Callable[Given, Coroutine[Any, Any, Returned]]:
    """Have the work told under its name."""
    name = work.__name__.strip("_").replace("_", " ")

    @wraps(work)
    async def told(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        with NOTHING if tracer is None else tracer.span(name):
            return await work(*args, **kwargs)

    return told
