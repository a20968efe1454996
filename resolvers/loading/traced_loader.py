"""Coalescing loader that reports its loads as spans.

A load serves several requests, and its task belongs to none of them. So the loader records which requests are waiting for a
key. A load's span has links to the spans of all of them. Only a server with tracing enabled uses this class.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

from resolvers.loading.coalescing_loader import CoalescingLoader
from telemetry import spans

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class TracedCoalescingLoader(CoalescingLoader[Key, Value]):
    """Coalescing loader with one span per load, named `name`."""

    def __init__(
        self,
        name: str,
        load: Callable[[Sequence[Key]], Awaitable[Sequence[Value]]],
        **options: Any,  # noqa: ANN401
    ) -> None:
        self._span_links: dict[Key, list[object]] = {}

        async def traced_load(keys: Sequence[Key]) -> Sequence[Value]:
            links = [link for key in keys for link in self._span_links.pop(key, ())]
            attributes = {"questions": len(keys)}
            with spans.NO_SPAN if spans.tracer is None else spans.tracer.span(name, attributes, links):
                return await load(keys)

        super().__init__(traced_load, **options)

    async def load_many(self, keys: Sequence[Key]) -> list[Value]:
        """Return the values in the order of the keys. Raise the error of a load."""
        if spans.tracer is None:
            return await super().load_many(keys)
        link = spans.tracer.current()
        for key in keys:
            self._span_links.setdefault(key, []).append(link)
        try:
            return await super().load_many(keys)
        finally:
            # A caller that is cancelled before its load begins is not linked.
            for key in keys:
                links = self._span_links.get(key, [])
                if link in links:
                    links.remove(link)
                if not links:
                    self._span_links.pop(key, None)
