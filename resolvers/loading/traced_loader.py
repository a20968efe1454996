"""A gathering whose loads are told to the tracer: each as the work of whoever asked first, linked with that of all others.

A load answers questions of many requests, and its task belongs to none of them, so it is remembered here who asks for what.
Only a traced server has it.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

from resolvers.loading.coalescing_loader import Gathering
from telemetry import spans

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class TracedGathering(Gathering[Question, Answer]):
    """Tells of its loads under its name."""

    def __init__(
        self,
        name: str,
        load: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        **options: Any,  # noqa: ANN401
    ) -> None:
        self._causes: dict[Question, list[object]] = {}

        async def told(asked: Sequence[Question]) -> Sequence[Answer]:
            causes = [cause for question in asked for cause in self._causes.pop(question, ())]
            facts = {"questions": len(asked)}
            with spans.NOTHING if spans.tracer is None else spans.tracer.span(name, facts, causes):
                return await load(asked)

        super().__init__(told, **options)

    async def load_many(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answers in the order of the questions. Raise what loading them has raised."""
        if spans.tracer is None:
            return await super().load_many(questions)
        here = spans.tracer.here()
        for question in questions:
            self._causes.setdefault(question, []).append(here)
        try:
            return await super().load_many(questions)
        finally:
            # Whoever leaves before its load has begun is no cause of it.
            for question in questions:
                left = self._causes.get(question, [])
                if here in left:
                    left.remove(here)
                if not left:
                    self._causes.pop(question, None)
