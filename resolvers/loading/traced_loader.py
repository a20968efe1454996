"""A gathering whose loads are told to the tracer: each as the work of whoever asked first, linked with that of all others.

A load answers questions of many requests, and its task belongs to none of them, so it is remembered here who asks for what.
Only a traced server has it.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

from resolvers.loading.coalescing_loader import CoalescingLoader
from telemetry import spans

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class TracedCoalescingLoader(CoalescingLoader[Key, Value]):
    """Tells of its loads under its name."""

    def __init__(
        self,
        name: str,
        load: Callable[[Sequence[Key]], Awaitable[Sequence[Value]]],
        **options: Any,  # noqa: ANN401
    ) -> None:
        self._span_links: dict[Key, list[object]] = {}

        async def traced_load(asked: Sequence[Key]) -> Sequence[Value]:
            causes = [cause for question in asked for cause in self._span_links.pop(question, ())]
            facts = {"questions": len(asked)}
            with spans.NO_SPAN if spans.tracer is None else spans.tracer.span(name, facts, causes):
                return await load(asked)

        super().__init__(traced_load, **options)

    async def load_many(self, questions: Sequence[Key]) -> list[Value]:
        """Return the answers in the order of the questions. Raise what loading them has raised."""
        if spans.tracer is None:
            return await super().load_many(questions)
        here = spans.tracer.current()
        for question in questions:
            self._span_links.setdefault(question, []).append(here)
        try:
            return await super().load_many(questions)
        finally:
            # Whoever leaves before its load has begun is no cause of it.
            for question in questions:
                left = self._span_links.get(question, [])
                if here in left:
                    left.remove(here)
                if not left:
                    self._span_links.pop(question, None)
