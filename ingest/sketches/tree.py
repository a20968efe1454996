"""Regions in preorder, so that the regions below one of them are a range of numbers."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64
from domain.locations import Location, LocationKind


class RegionOrder:
    """The regions of a tree, numbered in preorder.

    Attributes:
        ids: Location ID of each region.
        parents: Number of each region's parent, which is smaller than its own; -1 for a root.
        stops: Number after the last region below each region, itself included.
        levels: Number of regions from each region to its root, both included.
    """

    def __init__(self, locations: Iterable[Location]) -> None:
        tree = list(locations)
        below: dict[int | None, list[int]] = {}
        for location in sorted(tree, key=lambda location: location.id):
            if location.kind is LocationKind.REGION:
                below.setdefault(location.parent_id, []).append(location.id)
        ids, stops = list[int](), dict[int, int]()
        levels = list[int]()
        # A tree may be thousands of levels deep: no recursion.
        open_regions: list[int] = []
        waiting = [(root, 0) for root in reversed(below.get(None, []))]
        while waiting:
            region, level = waiting.pop()
            while len(open_regions) > level:
                stops[open_regions.pop()] = len(ids)
            open_regions.append(region)
            levels.append(len(open_regions))
            ids.append(region)
            waiting += [(child, level + 1) for child in reversed(below.get(region, []))]
        stops.update(dict.fromkeys(open_regions, len(ids)))
        number = {region: at for at, region in enumerate(ids)}
        parent_of = {location.id: location.parent_id for location in tree}
        self.ids: Int64 = np.array(ids, dtype=np.int64)
        self.parents: Int64 = np.array([number.get(parent_of[region] or 0, -1) for region in ids], dtype=np.int64)
        self.stops: Int64 = np.array([stops[region] for region in ids], dtype=np.int64)
        self.levels: Int64 = np.array(levels, dtype=np.int64)
        # The region itself and those above it, one after the other.
        self._first = np.cumsum(self.levels) - self.levels
        self._above = np.empty(int(self.levels.sum()), dtype=np.int32)
        for region, (first, level) in enumerate(zip(self._first.tolist(), levels, strict=True)):
            self._above[first] = region
            parent = int(self.parents[region])
            if parent >= 0:
                begin = int(self._first[parent])
                self._above[first + 1 : first + level] = self._above[begin : begin + level - 1]
        # A port that is a root is below no region.
        ports = sorted((location.id, number.get(location.parent_id or 0, -1)) for location in tree
                       if location.kind is LocationKind.PORT)  # fmt: skip
        self._ports, self._regions = np.array(ports, dtype=np.int64).reshape(-1, 2).T

    def __len__(self) -> int:
        return len(self.ids)

    def region_of(self, ports: npt.NDArray[np.int32] | Int64) -> Int64:
        """Return the number of the region that contains each port, -1 for none.

        The ports are location IDs. Damaged observations may name others, which no region contains.
        """
        if not len(self._ports):
            return np.full(len(ports), -1, dtype=np.int64)
        position = np.minimum(np.searchsorted(self._ports, ports), len(self._ports) - 1)
        return np.where(self._ports[position] == ports, self._regions[position], -1)

    def expand(self, regions: Int64) -> tuple[Int64, Int64]:
        """Return each region with those above it, as two columns.

        They are the position of the given region, and the number of the region or of one above it.
        """
        counts = self.levels[regions]
        source = np.repeat(np.arange(len(regions)), counts)
        step = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
        return source, self._above[self._first[regions][source] + step].astype(np.int64)
