"""Choice of lanes: every kind of edge case, and the markets in their proportions. No SQL."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from db.administration.samples import LaneDescription
from domain.locations import Lane, Location
from ingest.errors import SampleRejected

LONG_DAYS = 31


@dataclass(frozen=True, slots=True)
class Candidate:
    """Lane that may be chosen.

    Attributes:
        market: Top regions of its two ends.
        traits: Names of its edge cases, such as `gaps` or `currency EUR`.
        rank: Position in the order that the seed defines; unique.
    """

    lane: Lane
    market: tuple[str, str]
    traits: frozenset[str]
    rank: bytes


def describe_candidates(
    lanes: Collection[LaneDescription], thin_lanes: Collection[Lane], locations: Mapping[int, Location], seed: int
) -> list[Candidate]:
    """Return the lanes as candidates, ordered by rank.

    The rank is a hash of the seed and the keys, so that IDs do not matter: equal data and seeds give equal samples.
    """
    paths = {location_id: _path(location_id, locations) for location_id in locations}
    candidates = list[Candidate]()
    for described in lanes:
        lane = Lane(described.origin, described.destination)
        origin, destination = paths[lane.origin], paths[lane.destination]
        traits = set(_traits(described))
        if lane in thin_lanes:
            traits.add("thin days")
        traits |= {f"origin at depth {len(origin)}", f"destination at depth {len(destination)}"}
        market = (_market(origin), _market(destination))
        rank = hashlib.sha256(f"{seed}:{origin[-1]}:{destination[-1]}".encode()).digest()
        candidates.append(Candidate(lane, market, frozenset(traits), rank))
    return sorted(candidates, key=lambda candidate: candidate.rank)


def choose_lanes(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """Choose `count` lanes, or all if there are fewer.

    At least one chosen lane has each trait. The others are spread over the markets in proportion to their lanes.
    Raise SampleRejected (TOO_FEW_LANES) if the traits need more lanes than that.
    """
    if count >= len(candidates):
        return list(candidates)
    chosen = _cover_traits(candidates)
    if len(chosen) > count:
        raise SampleRejected(
            "TOO_FEW_LANES",
            f"the edge cases need {len(chosen)} lanes, and --lanes is {count}; use --lanes {len(chosen)}",
        )
    targets = _share(Counter(candidate.market for candidate in candidates), count)
    taken = Counter(candidate.market for candidate in chosen.values())
    rest = [candidate for candidate in candidates if candidate.lane not in chosen]
    for within_share in (True, False):
        for candidate in rest:
            if len(chosen) == count:
                break
            if candidate.lane not in chosen and not (
                within_share and taken[candidate.market] >= targets[candidate.market]
            ):
                chosen[candidate.lane] = candidate
                taken[candidate.market] += 1
    return sorted(chosen.values(), key=lambda candidate: candidate.rank)


def _traits(described: LaneDescription) -> Iterator[str]:
    """Yield the edge cases of a lane."""
    yield from (f"currency {currency}" for currency in described.currencies)
    if described.observations == 1:
        yield "one price"
    if described.longest_days == 1:
        yield "single days only"
    if described.longest_days > LONG_DAYS:
        yield f"valid for more than {LONG_DAYS} days"
    if described.has_low_prices:
        yield "zero or negative prices"
    if described.has_duplicates:
        yield "duplicates"
    if described.has_gaps:
        yield "gaps"


def _path(location_id: int, locations: Mapping[int, Location]) -> list[str]:
    """Return the keys from the root of the tree to a location."""
    keys = list[str]()
    current: int | None = location_id
    while current is not None:
        location = locations[current]
        keys.append(location.key)
        current = location.parent_id
    return keys[::-1]


def _market(path: Sequence[str]) -> str:
    """Return the region below the root, or the root itself."""
    return path[min(1, len(path) - 1)]


def _cover_traits(candidates: Sequence[Candidate]) -> dict[Lane, Candidate]:
    """Return few lanes that have all traits, by greedy set cover."""
    by_traits = defaultdict[frozenset[str], list[Candidate]](list)
    for candidate in candidates:
        by_traits[candidate.traits].append(candidate)
    missing = frozenset().union(*by_traits)
    chosen = dict[Lane, Candidate]()
    while missing:
        best = max(by_traits.items(), key=lambda item: (len(item[0] & missing), -int.from_bytes(item[1][0].rank)))
        chosen[best[1][0].lane] = best[1][0]
        missing -= best[0]
    return chosen


def _share(sizes: Mapping[tuple[str, str], int], count: int) -> dict[tuple[str, str], int]:
    """Return the number of lanes of each market: its part of `count`, by largest remainders."""
    total = sum(sizes.values())
    shares = {market: count * size // total for market, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda market: (-(count * sizes[market] % total), market))
    for market in by_remainder[: count - sum(shares.values())]:
        shares[market] += 1
    return shares
