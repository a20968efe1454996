"""Fallback: the narrowest larger market answers for a lane with too few prices."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from domain.locations import Lane
from domain.price_series import Figures
from resolvers.context import RequestContext
from resolvers.errors import RequestError

MAX_LEVELS = 20
CANDIDATES_PER_ROUND = 4
"""Candidates of each lane that are loaded together: most lanes need one round, and few candidates are loaded in vain."""


class Fallback(NamedTuple):
    """How far a lane may be widened, and which part of the buckets must have figures (0 to 1)."""

    max_levels: int
    coverage: float

    def check(self) -> None:
        """Raise RequestError (INVALID_FALLBACK) unless the values are within their bounds."""
        if not 1 <= self.max_levels <= MAX_LEVELS:
            message = f"fallback.maxLevels must be between 1 and {MAX_LEVELS} (got {self.max_levels})."
            raise RequestError("INVALID_FALLBACK", message, argument="fallback.maxLevels")
        if not 0 <= self.coverage <= 1:
            message = f"fallback.coverage must be between 0 and 1 (got {self.coverage})."
            raise RequestError("INVALID_FALLBACK", message, argument="fallback.coverage")

    def suffices(self, figures: Figures) -> bool:
        """Return whether enough buckets have figures; at least one always must."""
        # By the shortest decimal: 0.07 of 100 buckets are 7, and not 7.000000000000001.
        needed = max(1, math.ceil(Fraction(repr(self.coverage)) * len(figures.counts)))
        return figures.null_reasons.count(None) >= needed


@dataclass(frozen=True, slots=True)
class Market:
    """Lane that answers for another one, with its figures by bucket.

    The levels are the numbers of regions from each end of the requested lane up to the end of this lane.
    """

    lane: Lane
    origin_levels_up: int
    destination_levels_up: int
    figures: Figures
    is_sufficient: bool


LoadFigures = Callable[[Sequence[Lane]], Awaitable[list[Figures]]]
"""Loads the figures of lanes, in their order."""


class _Candidate(NamedTuple):
    """Lane that may answer for another one. Candidates are tried in ascending order.

    The market with the fewest port pairs comes first, then the fewest levels, then the fewest levels of the origin.
    """

    port_pairs: int
    levels_up: int
    origin_levels_up: int
    lane: Lane


async def find_markets(
    context: RequestContext, lanes: Sequence[Lane], fallback: Fallback, load: LoadFigures
) -> list[Market]:
    """Return for each lane the narrowest market that suffices, or the lane itself if none does.

    Candidates are the pairs of the two ends and the regions at most `max_levels` above them.
    """
    candidates = await _list_candidates(context, lanes, fallback.max_levels)
    found: list[Market | None] = [None] * len(lanes)
    asked: list[Market | None] = [None] * len(lanes)
    tried = 0
    while open_lanes := [at for at, market in enumerate(found) if market is None and tried < len(candidates[at])]:
        rounds = [
            (at, candidate) for at in open_lanes for candidate in candidates[at][tried : tried + CANDIDATES_PER_ROUND]
        ]
        for (at, candidate), figures in zip(rounds, await load([each.lane for _, each in rounds]), strict=True):
            if found[at] is None:
                market = _to_market(candidate, figures, is_sufficient=fallback.suffices(figures))
                asked[at] = asked[at] or market
                found[at] = market if market.is_sufficient else None
        tried += CANDIDATES_PER_ROUND
    return [market or own for market, own in zip(found, asked, strict=True)]  # type: ignore[misc]  # every lane was tried


def _to_market(candidate: _Candidate, figures: Figures, *, is_sufficient: bool) -> Market:
    origin_levels = candidate.origin_levels_up
    return Market(candidate.lane, origin_levels, candidate.levels_up - origin_levels, figures, is_sufficient)


async def _list_candidates(context: RequestContext, lanes: Sequence[Lane], max_levels: int) -> list[list[_Candidate]]:
    """Return the candidates of each lane in order, the lane itself first."""
    ends = sorted({end for lane in lanes for end in lane})
    ancestors = await context.loaders.ancestors.load_many(ends)
    chains = {
        end: [end, *(region.id for region in regions[:max_levels])]
        for end, regions in zip(ends, ancestors, strict=True)
    }
    members = sorted({location for chain in chains.values() for location in chain})
    counts = dict(zip(members, await context.loaders.port_count.load_many(members), strict=True))
    return [
        sorted(
            _Candidate(
                counts[origin] * counts[destination], up_origin + up_destination, up_origin, Lane(origin, destination)
            )
            for up_origin, origin in enumerate(chains[lane.origin])
            for up_destination, destination in enumerate(chains[lane.destination])
        )
        for lane in lanes
    ]
