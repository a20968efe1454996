"""Choice of lanes: every edge case, markets in proportion, the same lanes for the same seed."""

from collections import Counter
from datetime import date
from itertools import product

import pytest

from db.administration.samples import LaneDescription
from domain.locations import Lane, Location, LocationKind
from ingest.errors import SampleRejected
from ingest.sampling.lanes import Candidate, choose_lanes, describe_candidates

REGIONS = {1: ("world", None), 2: ("asia", 1), 3: ("europe", 1), 4: ("china", 2)}
PORTS = {10: ("CNSGH", 4), 11: ("CNNGB", 4), 12: ("JPTYO", 2), 20: ("NLRTM", 3), 21: ("DEHAM", 3), 22: ("FRLEH", 3)}
TREE = {
    **{number: Location(number, LocationKind.REGION, key, key, parent) for number, (key, parent) in REGIONS.items()},
    **{number: Location(number, LocationKind.PORT, key, key, parent) for number, (key, parent) in PORTS.items()},
}


def describe(origin: int, destination: int, **changes: object) -> LaneDescription:
    """Return a lane of ten ordinary prices in US dollars, with changes."""
    usual: dict[str, object] = {
        "observations": 10,
        "price_days": 70,
        "currencies": ["USD"],
        "longest_days": 7,
        "has_low_prices": False,
        "has_duplicates": False,
        "starts": [date(2024, 1, 1)],
        "ends": [date(2024, 3, 11)],
    }
    return LaneDescription(origin, destination, **{**usual, **changes})  # type: ignore[arg-type]


def many_lanes() -> list[LaneDescription]:
    """Return lanes between all ports in both directions; one of them has most edge cases."""
    lanes = [describe(*ends) for ends in product(PORTS, PORTS) if ends[0] != ends[1]]
    lanes[7] = describe(
        lanes[7].origin,
        lanes[7].destination,
        currencies=["EUR", "JPY"],
        starts=[date(2024, 1, 1)] * 2,
        ends=[date(2024, 3, 11)] * 2,
        longest_days=40,
    )
    return lanes


def choose(count: int, seed: int = 1) -> list[Candidate]:
    """Choose among the lanes between all ports, of which one has thin days."""
    thin = {Lane(20, 21)}
    return choose_lanes(describe_candidates(many_lanes(), thin, TREE, seed), count)


@pytest.mark.parametrize("count", [8, 12, 20])
def test_chosen_lanes_have_every_trait(count: int) -> None:
    everything = frozenset().union(*(lane.traits for lane in choose(1000)))
    chosen = choose(count)
    assert len(chosen) == len({lane.lane for lane in chosen}) == count
    assert frozenset().union(*(lane.traits for lane in chosen)) == everything
    assert {"currency EUR", "currency JPY", "gaps", "thin days", "valid for more than 31 days"} <= everything
    assert {"origin at depth 3", "origin at depth 4", "destination at depth 4"} <= everything


def test_chosen_lanes_depend_on_the_seed_alone() -> None:
    assert choose(12) == choose(12)
    assert choose(12) != choose(12, seed=2)
    backwards = choose_lanes(describe_candidates(many_lanes()[::-1], {Lane(20, 21)}, TREE, 1), 12)
    assert backwards == choose(12)


def test_chosen_lanes_keep_the_proportions_of_the_markets() -> None:
    everything, chosen = choose(1000), choose(20)
    assert Counter(lane.market for lane in everything)["asia", "europe"] == 9
    for market, count in Counter(lane.market for lane in everything).items():
        assert Counter(lane.market for lane in chosen)[market] == pytest.approx(count * 20 / len(everything), abs=1.5)


def test_all_lanes_are_chosen_if_there_are_fewer() -> None:
    assert len(choose(31)) == len(choose(30)) == len(PORTS) * (len(PORTS) - 1)


def test_too_few_lanes_for_the_edge_cases_are_refused() -> None:
    with pytest.raises(SampleRejected, match="use --lanes") as refusal:
        choose(1)
    assert refusal.value.code == "TOO_FEW_LANES"
    (needed,) = [int(word) for word in refusal.value.message.split() if word.isdigit()][-1:]
    assert len(choose(needed)) == needed
