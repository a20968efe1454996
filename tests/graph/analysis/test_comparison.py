"""Matrices of lanes and benchmarks of a price, over real HTTP."""

import pytest

from tests.support.fixtures.reference import load_golden_questions
from tests.support.fixtures.server import Client, Json, running_server

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


PRICED = {"origin": "CNSGH", "destination": "north_europe_main", "dateFrom": "2016-01-01", "dateTo": "2016-01-31"}


@pytest.mark.parametrize("price", ["", "x", "NaN", "1e400", "1,000", "1_000", "٣٠٠٠", "1e-9999999999999999999", 1e13])
def test_benchmark_of_a_price_that_is_no_decimal_number_is_refused(reference_client: Client, price: object) -> None:
    error = reference_client.fail(BENCHMARK, **PRICED, price=price)
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("INVALID_PRICE", "price")


@pytest.mark.parametrize("price", [960, "960", " 960.0 ", "+9.6e2", "960.00004999999999999999999999999999999999"])
def test_benchmark_reads_a_price_as_decimal_number_of_four_decimals(reference_client: Client, price: object) -> None:
    expected = reference_client.ask(BENCHMARK, **PRICED, price="960.0000")["benchmark"]
    assert reference_client.ask(BENCHMARK, **PRICED, price=price)["benchmark"] == expected
    # 960 is the median of many equal prices, so that one more step has another rank.
    assert reference_client.ask(BENCHMARK, **PRICED, price="960.00005")["benchmark"] != expected


@pytest.mark.usefixtures("reference_client")
def test_benchmark_of_too_many_prices_has_an_average_and_no_rank(module_database_url: str) -> None:
    with running_server(module_database_url, max_statistics_prices=696) as client:
        answer = client.post(BENCHMARK, {**PRICED, "price": 1000})
    found = answer["data"]["benchmark"]
    assert (found["count"], found["marketAverage"], found["difference"]) == (697, 1160.19, -160.19)
    assert found["percentileRank"] is None
    assert found["percentileRankError"] is None
    assert [error["path"][-1] for error in answer["errors"]] == ["percentileRank", "percentileRankError"]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"TOO_MANY_PRICES"}


@pytest.mark.usefixtures("reference_client")
def test_benchmark_reads_the_prices_once_for_several_ranks(module_database_url: str) -> None:
    days = 'dateFrom: "2016-01-01", dateTo: "2016-01-31"'
    arguments = f'origin: "CNSGH", destination: "north_europe_main", {days}, price: 960'
    with running_server(module_database_url, max_statistics_prices=697) as client:
        ranks = client.ask(f"{{ benchmark({arguments}) {{ a: percentileRank b: percentileRank }} }}")["benchmark"]
    assert ranks["a"] == ranks["b"]
