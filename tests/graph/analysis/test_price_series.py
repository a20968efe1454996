"""Price series over real HTTP: golden figures, several lanes, errors of arguments and lanes."""

import pytest

from tests.support.fixtures.reference import load_golden_questions
from tests.support.fixtures.server import Client, Json, running_server

PERCENTILES = {"2.5": "p2_5", "25": "p25", "50": "p50", "75": "p75", "97.5": "p97_5"}
STATISTICS = ["low", "high", "median", *PERCENTILES.values()]
ALIASES = " ".join(f"{name}: percentile(at: {at})" for at, name in PERCENTILES.items())
COLUMNS = f"""
  currency interval from to partial
  lanes {{
    askedOrigin {{ key }} askedDestination {{ key }} origin {{ key }} destination {{ key }}
    originLevelsUp destinationLevelsUp sufficient statisticsError
    counts averages nullReasons changes changePercents lows highs medians
    {ALIASES}
  }}
"""
BUCKETS = f"""
  lanes {{ buckets {{
    from to partial count average nullReason change changePercent low high median
    {ALIASES}
  }} }}
"""


def query(selection: str) -> str:
    """Return a query of price series with this selection."""
    return f"""
    query ($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!, $interval: Interval! = DAY, $minimumSample: Int! = 3,
           $currency: String! = "USD", $fallback: FallbackInput) {{
      priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo, interval: $interval, minimumSample: $minimumSample,
                  currency: $currency, fallback: $fallback) {{ {selection} }}
    }}
    """


def variables_of(arguments: Json) -> Json:
    """Return the variables of a golden case."""
    lane = {"origin": arguments["origin"], "destination": arguments["destination"]}
    others = {name: value for name, value in arguments.items() if name not in {"origin", "destination", "onlyFrom"}}
    return {"lanes": [lane], **others}


def flatten(bucket: Json) -> Json:
    """Return a golden bucket with its percentiles by response name."""
    figures = {name: value for name, value in bucket.items() if name != "percentiles"}
    return {**figures, **{PERCENTILES[at]: value for at, value in bucket["percentiles"].items()}}


def columns_to_buckets(answer: Json) -> list[Json]:
    """Return the columns of the only lane as a list of buckets."""
    [lane] = answer["lanes"]
    columns = {
        "from": answer["from"],
        "to": answer["to"],
        "partial": answer["partial"],
        "count": lane["counts"],
        "average": lane["averages"],
        "nullReason": lane["nullReasons"],
        "change": lane["changes"],
        "changePercent": lane["changePercents"],
        "low": lane["lows"],
        "high": lane["highs"],
        "median": lane["medians"],
        **{name: lane[name] for name in PERCENTILES.values()},
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("case", load_golden_questions("priceSeries"))
def test_price_series_match_the_golden_figures_as_columns_and_as_buckets(reference_client: Client, case: Json) -> None:
    variables = variables_of(case["arguments"])
    answer = reference_client.ask(query(COLUMNS), **variables)["priceSeries"]
    chosen = case["arguments"].get("onlyFrom", answer["from"])
    expected = [flatten(bucket) for bucket in case["expect"]]
    found = columns_to_buckets(answer)
    error = answer["lanes"][0]["statisticsError"]
    # The figures of two regions are exact up to 20,000 prices; the golden ones always are.
    assert error == (0.016 if sum(bucket["count"] for bucket in found) > 20_000 else 0)
    assert [bucket for bucket in found if bucket["from"] in chosen] == [
        bucket
        | {name: pytest.approx(bucket[name], rel=error, abs=0) for name in STATISTICS if bucket[name] is not None}
        for bucket in expected
    ]
    assert answer["currency"] == case["arguments"]["currency"]
    assert answer["interval"] == case["arguments"]["interval"]
    [lane] = reference_client.ask(query(BUCKETS), **variables)["priceSeries"]["lanes"]
    assert lane["buckets"] == found


@pytest.mark.parametrize("case", load_golden_questions("priceSeries.fallback"))
def test_price_series_fall_back_to_the_golden_market(reference_client: Client, case: Json) -> None:
    answer = reference_client.ask(query(COLUMNS), **variables_of(case["arguments"]))["priceSeries"]
    [lane] = answer["lanes"]
    expected = case["expect"]
    assert (lane["origin"]["key"], lane["destination"]["key"]) == (
        expected["actualOrigin"],
        expected["actualDestination"],
    )
    assert (lane["askedOrigin"]["key"], lane["askedDestination"]["key"]) == (
        case["arguments"]["origin"],
        case["arguments"]["destination"],
    )
    levels = (lane["originLevelsUp"], lane["destinationLevelsUp"])
    assert levels == (expected["originLevelsUp"], expected["destinationLevelsUp"])
    assert lane["sufficient"] is expected["sufficient"]
    first, figures = columns_to_buckets(answer)[0], expected.get("first", {})
    assert {name: first[name] for name in figures} == figures


JANUARY = {"dateFrom": "2016-01-01", "dateTo": "2016-01-31"}
LANE = {"origin": "CNSGH", "destination": "north_europe_main"}
AVERAGES = "from lanes { origin { key } averages lows }"


def test_price_series_of_an_unknown_location_is_null_and_the_others_are_answered(reference_client: Client) -> None:
    lanes = [LANE, {"origin": "china_main", "destination": "northern_europe"}, {**LANE, "origin": "CNSGX"}]
    answer = reference_client.post(query(AVERAGES), {"lanes": lanes, **JANUARY, "interval": "MONTH"})
    first, second, third = answer["data"]["priceSeries"]["lanes"]
    assert first == {"origin": {"key": "CNSGH"}, "averages": [1160.19], "lows": [560]}
    assert second == {"origin": {"key": "china_main"}, "averages": [1288.57], "lows": pytest.approx([539], rel=0.016)}
    assert third is None
    [error] = answer["errors"]
    assert error["path"] == ["priceSeries", "lanes", 2]
    assert error["extensions"]["code"] == "UNKNOWN_LOCATION"
    assert error["extensions"]["argument"] == "lanes.2.origin"
    assert error["message"].startswith('lanes.2.origin: unknown location "CNSGX".')


@pytest.mark.parametrize(
    ("changes", "code", "argument"),
    [
        ({"dateTo": "2015-01-01"}, "INVALID_DATE_RANGE", "dateFrom"),
        ({"dateTo": "2036-01-01"}, "DATE_RANGE_TOO_LONG", "dateTo"),
        ({"minimumSample": 0}, "INVALID_SAMPLE", "minimumSample"),
        ({"minimumSample": 1_000_001}, "INVALID_SAMPLE", "minimumSample"),
        ({"currency": "QQQ"}, "UNKNOWN_CURRENCY", "currency"),
        ({"fallback": {"maxLevels": 0}}, "INVALID_FALLBACK", "fallback.maxLevels"),
        ({"fallback": {"maxLevels": 21}}, "INVALID_FALLBACK", "fallback.maxLevels"),
        ({"fallback": {"coverage": 1.01}}, "INVALID_FALLBACK", "fallback.coverage"),
        ({"lanes": [LANE] * 101}, "TOO_MANY_LANES", "lanes"),
    ],
)
def test_price_series_argument_out_of_bounds_is_refused(
    reference_client: Client, changes: Json, code: str, argument: str
) -> None:
    error = reference_client.fail(query("currency"), **{"lanes": [LANE], **JANUARY, **changes})
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == (code, argument)
    assert error["path"] == ["priceSeries"]


@pytest.mark.parametrize("at", ["-0.1", "100.1", "100.0000001"])
def test_percentile_out_of_bounds_leaves_the_other_figures(reference_client: Client, at: str) -> None:
    selection = f"lanes {{ averages percentile(at: {at}) }}"
    answer = reference_client.post(query(selection), {"lanes": [LANE], **JANUARY, "interval": "MONTH"})
    assert answer["data"]["priceSeries"]["lanes"] == [{"averages": [1160.19], "percentile": None}]
    [error] = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("INVALID_PERCENTILE", "at")
    assert error["message"] == f"at must be between 0 and 100 (got {at})."


@pytest.mark.usefixtures("reference_client")
def test_statistics_of_too_many_prices_are_refused_and_averages_are_not(module_database_url: str) -> None:
    variables = {"lanes": [LANE, LANE], **JANUARY, "interval": "MONTH"}
    with running_server(module_database_url, max_statistics_prices=1_000) as client:
        answer = client.post(query("lanes { averages lows }"), variables)
        assert [lane["averages"] for lane in answer["data"]["priceSeries"]["lanes"]] == [[1160.19]] * 2
        # The lane has 697 prices, so one of the two is within the limit.
        assert sorted(lane["lows"] is None for lane in answer["data"]["priceSeries"]["lanes"]) == [False, True]
        [error] = answer["errors"]
        assert error["extensions"] == {"code": "TOO_MANY_PRICES", "prices": 1_394, "maxPrices": 1_000}


def test_price_series_without_lanes_are_empty(reference_client: Client) -> None:
    answer = reference_client.ask(query("from lanes { counts }"), lanes=[], **JANUARY, interval="QUARTER")
    assert answer["priceSeries"] == {"from": ["2016-01-01"], "lanes": []}
