"""Whether the data contain demo prices, as the pages say from their first paint.

A banner that appears after the data would move what stands below it (layout shift).
"""

import asyncio

from db.errors import DatabaseError
from resolvers.analysis.lane_listing import price_period
from resolvers.caller import Caller
from resolvers.context import AppContext, RequestContext

PATIENCE_SECONDS = 0.25
"""Time that a page may wait for the database. Without an answer it gets the last one, and learns more from its own queries."""


class DemoDataFlag:
    """Cached answer to whether applied batches of demo data exist, for one version of the data."""

    def __init__(self) -> None:
        self._has_demo = False
        self._version = ""

    async def read(self, app: AppContext) -> bool:
        """Return the answer for the present data, or the last one while the database is away."""
        version = app.version.name
        if not version or version != self._version:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._has_demo = (await price_period(RequestContext(app, Caller()))).has_demo
            except (DatabaseError, TimeoutError):
                return self._has_demo
            self._version = version
        return self._has_demo
