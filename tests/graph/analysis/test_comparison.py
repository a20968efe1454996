"""Matrices of lanes and benchmarks of a price, over real HTTP."""

import pytest

from tests.support.fixtures.reference import load_golden_questions
from tests.support.fixtures.server import Client, Json

MATRIX = """
query ($origins: [String!]!, $destinations: [String!]!, $dateFrom: Date!, $dateTo: Date!, $minimumSample: Int! = 3,
       $currency: String! = "USD") {
  laneMatrix(origins: $origins, destinations: $destinations, dateFrom: $dateFrom, dateTo: $dateTo,
             minimumSample: $minimumSample, currency: $currency) {
    currency origins { key } destinations { key } averages counts nullReasons
  }
}
"""
BENCHMARK = """
query ($origin: String!, $destination: String!, $price: PriceAmount!, $currency: String! = "USD", $dateFrom: Date!,
       $dateTo: Date, $minimumSample: Int! = 3) {
  benchmark(origin: $origin, destination: $destination, price: $price, currency: $currency, dateFrom: $dateFrom,
            dateTo: $dateTo, minimumSample: $minimumSample) {
    count marketAverage difference differencePercent percentileRank percentileRankError nullReason
  }
}
"""


@pytest.mark.parametrize("case", load_golden_questions("laneMatrix"))
def test_lane_matrix_matches_the_golden_table(reference_client: Client, case: Json) -> None:
    answer = reference_client.ask(MATRIX, **case["arguments"])["laneMatrix"]
    assert {name: answer[name] for name in case["expect"]} == case["expect"]
    assert [each["key"] for each in answer["origins"]] == case["arguments"]["origins"]
    assert [each["key"] for each in answer["destinations"]] == case["arguments"]["destinations"]
    for averages, reasons in zip(answer["averages"], answer["nullReasons"], strict=True):
        assert [each is None for each in averages] == [reason is not None for reason in reasons]


@pytest.mark.parametrize("case", load_golden_questions("benchmark"))
def test_benchmark_matches_the_golden_standing(reference_client: Client, case: Json) -> None:
    answer = reference_client.ask(BENCHMARK, **case["arguments"])["benchmark"]
    assert {name: answer[name] for name in case["expect"]} == case["expect"]
