"""Coverage, lanes with prices and the period of all prices, over real HTTP."""

import pytest

from tests.support.fixtures.reference import load_golden_questions
from tests.support.fixtures.server import Client, Json

COVERAGE = """
query ($origin: String!, $destination: String!, $minimumSample: Int! = 3) {
  coverage(origin: $origin, destination: $destination, minimumSample: $minimumSample) {
    origin { key } destination { key }
    firstDay lastDay priceCount pricedDays sufficientDays gapCount gaps { from to }
  }
}
"""


@pytest.mark.parametrize("case", load_golden_questions("coverage"))
def test_coverage_matches_the_golden_days_and_gaps(reference_client: Client, case: Json) -> None:
    answer = reference_client.ask(COVERAGE, **case["arguments"])["coverage"]
    assert {name: answer[name] for name in case["expect"]} == case["expect"]
    assert answer["gapCount"] == len(answer["gaps"])
    ends = (answer["origin"]["key"], answer["destination"]["key"])
    assert ends == (case["arguments"]["origin"], case["arguments"]["destination"])


def test_data_period_of_the_reference_data_is_january(reference_client: Client) -> None:
    period = reference_client.ask("{ dataPeriod { firstDay lastDay priceCount hasDemoData } }")["dataPeriod"]
    assert period == {
        "firstDay": "2016-01-01",
        "lastDay": "2016-01-31",
        "priceCount": 53056,
        "hasDemoData": False,
    }
