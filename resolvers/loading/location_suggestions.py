"""Suggestions of similar locations, from an index that all requests of a process share.

The index is built from the whole tree. For a request with a hundred unknown names among ten thousand locations, an index for
each name occupied the event loop for two seconds.
"""

import asyncio

from db.connection import Connection
from db.replicas.router import Reads
from db.repositories import locations
from db.repositories.locations import SimilarLocations


class LocationSuggestions:
    """Search index over the names of all locations, rebuilt when the data version changes.

    Names are compared one after another, in a thread: several busy threads would keep the event loop from running.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._index = SimilarLocations([])
        self._version = ""

    async def closest_keys(self, text: str, reads: Reads, version: str) -> list[str]:
        """Return the codes or slugs of locations with a similar key, name or alias.

        `version` names the state of the data, and is empty while it is unknown. Raise DatabaseError.
        """
        async with self._lock:
            if not version or version != self._version:
                names, aliases = await reads.read(_select)
                self._index = await asyncio.to_thread(SimilarLocations, names, aliases)
                self._version = version
            return await asyncio.to_thread(self._index.closest_keys, text)


async def _select(connection: Connection) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return await locations.list_names(connection), await locations.list_aliases(connection)
