"""Item validation: one code for each kind of mistake, and unusual but valid items."""

from datetime import date, timedelta

import polars as pl
import pytest

from db.repositories.prices import MAX_VALIDITY_DAYS
from domain.locations import Location, LocationKind
from ingest.batches import suggestions
from ingest.batches.suggestions import PortSuggestions
from ingest.batches.validation import MAX_AMOUNT, CheckedItems, check_items

PLACES = [
    Location(1, LocationKind.REGION, "north_europe", "North Europe", None),
    Location(2, LocationKind.PORT, "NLRTM", "Rotterdam", 1),
    Location(3, LocationKind.PORT, "CNSGH", "Shanghai", None),
]
GOOD: dict[str, str | None] = {
    "origin": "CNSGH",
    "destination": "NLRTM",
    "date_from": "2024-01-01",
    "date_to": "2024-01-31",
    "price": "1234.56",
    "currency": "USD",
}

DAY = "2024-01-01"
LAST_DAY = date.fromisoformat(DAY) + timedelta(MAX_VALIDITY_DAYS - 1)
"""The last day of the maximum validity of an item."""


def check(*changes: dict[str, str | None]) -> CheckedItems:
    """Check one good item for each set of changes to it."""
    rows = [{"item": number, **GOOD, **change} for number, change in enumerate(changes, start=1)]
    schema = {"item": pl.UInt32, **dict.fromkeys(GOOD, pl.String)}
    return check_items(pl.DataFrame(rows, schema=schema), PLACES)


def test_validation_converts_a_valid_item_to_ids_days_and_integers() -> None:
    checked = check({}, {"origin": "cnsgh", "date_to": None, "price": "-0.00005", "currency": None})
    assert checked.rejections.is_empty()
    assert checked.valid.rows() == [
        (1, 3, 2, 19_723, 19_753, 12_345_600, "USD"),
        (2, 3, 2, 19_723, 19_723, -1, "USD"),
    ]


def test_validation_accepts_the_maximum_validity_period_and_price() -> None:
    checked = check({"date_from": DAY, "date_to": str(LAST_DAY)}, {"price": str(MAX_AMOUNT)})
    assert checked.rejections.is_empty()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"origin": "CNXXX"}, "origin", "UNKNOWN_PORT"),
        ({"destination": "nowhere"}, "destination", "UNKNOWN_PORT"),
        ({"destination": "North_Europe"}, "destination", "NOT_A_PORT"),
        ({"origin": None}, "origin", "MISSING_VALUE"),
        ({"date_from": "2024-02-30"}, "dateFrom", "INVALID_DATE"),
        ({"date_from": "20240101"}, "dateFrom", "INVALID_DATE"),
        ({"date_from": "2024-1-1"}, "dateFrom", "INVALID_DATE"),
        ({"date_from": "0000-01-01"}, "dateFrom", "INVALID_DATE"),
        ({"date_from": None}, "dateFrom", "MISSING_VALUE"),
        ({"date_to": "2024-01-31T00:00"}, "dateTo", "INVALID_DATE"),
        ({"date_to": "2101-01-01"}, "dateTo", "INVALID_DATE"),
        ({"date_from": "1969-12-31", "date_to": "1970-01-01"}, "dateFrom", "INVALID_DATE"),
        ({"date_to": "2023-12-31"}, "dateTo", "INVALID_DATE_RANGE"),
        ({"date_from": DAY, "date_to": str(LAST_DAY + timedelta(1))}, "dateTo", "DATE_RANGE_TOO_LONG"),
        ({"price": None}, "price", "MISSING_VALUE"),
        ({"price": "12,5"}, "price", "INVALID_PRICE"),
        ({"price": "NaN"}, "price", "INVALID_PRICE"),
        ({"price": "-inf"}, "price", "INVALID_PRICE"),
        ({"price": "1e999"}, "price", "INVALID_PRICE"),
        ({"price": "0x10"}, "price", "INVALID_PRICE"),
        ({"price": f"{MAX_AMOUNT}.0001"}, "price", "PRICE_OUT_OF_RANGE"),
    ],
)
def test_validation_reports_the_field_and_code_of_each_error(
    change: dict[str, str | None], field: str, code: str
) -> None:
    checked = check({}, change)
    assert checked.rejections.select("item", "field", "code").rows() == [(2, field, code)]
    assert checked.valid["item"].to_list() == [1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("31.12.2025", "a date in another order; write YYYY-MM-DD"),
        ("12/31/2025", "a date in another order; write YYYY-MM-DD"),
        ("1-5-26", "a date in another order; write YYYY-MM-DD"),
        ("46022", "a date as a number, as Excel stores it; write YYYY-MM-DD"),
        ("46022.25", "a date as a number, as Excel stores it; write YYYY-MM-DD"),
        ("2024-01-01 00:00:00", "a date with a time of day; write YYYY-MM-DD"),
        ("2024-01-01T12:00:00Z", "a date with a time of day; write YYYY-MM-DD"),
        ("2101-01-01", "not a valid date between 1970 and 2100 (YYYY-MM-DD)"),
        ("20240101", "a date without hyphens; write YYYY-MM-DD"),
        ("2024/1/31", "a date without hyphens; write YYYY-MM-DD"),
        ("2024.01.31", "a date without hyphens; write YYYY-MM-DD"),
        ("2024-1-31", "a date without leading zeros; write YYYY-MM-DD"),
        ("2024-01-5", "a date without leading zeros; write YYYY-MM-DD"),
        ("1770249600000", "a time in milliseconds since 1970, as pandas writes JSON; write YYYY-MM-DD"),
        ("1770249600", "a time in seconds since 1970; write YYYY-MM-DD"),
        ("2024-02-30", "not a valid date between 1970 and 2100 (YYYY-MM-DD)"),
        ("20241301", "not a valid date between 1970 and 2100 (YYYY-MM-DD)"),
        ("1970-01-01 +2932897 days", "not a valid date between 1970 and 2100 (YYYY-MM-DD)"),
    ],
)
def test_validation_describes_usual_mistakes_in_dates(text: str, words: str) -> None:
    assert check({"date_from": text}).rejections.select("code", "message", "value").rows() == [
        ("INVALID_DATE", words, text)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,234.50", "a price with thousands separators; write 1234.56"),
        ("1.234,50", "a price with thousands separators; write 1234.56"),
        ("1 234", "a price with thousands separators; write 1234.56"),
        ("-1'234.5", "a price with thousands separators; write 1234.56"),
        ("1,234", "a price with thousands separators; write 1234.56"),
        ("1450,5", "a decimal comma, which only CSV separated by semicolons may have; write 1234.56"),
        ("$1450.50", "a price with its currency, which has a field of its own; write 1234.56"),
        ("US$ 1,450", "a price with its currency, which has a field of its own; write 1234.56"),
        ("1450 EUR", "a price with its currency, which has a field of its own; write 1234.56"),
        ("5%", "a percentage; write 1234.56"),
        ("(1450.50)", "a negative number as in bookkeeping; write -1234.56"),
        ("1,450.50-", "a negative number as in bookkeeping; write -1234.56"),
        ("\u22121450", "a negative number as in bookkeeping; write -1234.56"),
        ("abc", "not a decimal number such as 1234.56"),
        ("=A1*2", "not a decimal number such as 1234.56"),
    ],
)
def test_validation_describes_usual_mistakes_in_prices(text: str, words: str) -> None:
    assert check({"price": text}).rejections.select("code", "message", "value").rows() == [
        ("INVALID_PRICE", words, text)
    ]


def test_validation_accepts_the_blank_that_unece_prints_in_a_code() -> None:
    checked = check({"origin": "CN SGH", "destination": "nl\xa0rtm"}, {"origin": "C NSGH"}, {"origin": "CN  XXX"})
    assert checked.valid.select("item", "origin", "destination").rows() == [(1, 3, 2)]
    assert checked.rejections.select("item", "code", "value").rows() == [
        (2, "UNKNOWN_PORT", "C NSGH"),
        (3, "UNKNOWN_PORT", "CN  XXX"),
    ]


def test_validation_suggests_ports_of_similar_code_or_name() -> None:
    texts = ["CNSGX", "Shanghai", "ROTTERDAM", "north_europa", "?", "x" * 5_000]
    changes: list[dict[str, str | None]] = [{"origin": text} for text in texts]
    checked = check(*changes)
    assert checked.rejections["message"].to_list() == [
        "CNSGX is not a known port; did you mean CNSGH?",
        "Shanghai is not a known port; did you mean CNSGH?",
        "ROTTERDAM is not a known port; did you mean NLRTM?",
        "north_europa is not a known port",
        "? is not a known port",
        f"{'x' * 60} is not a known port",
    ]


def test_validation_of_a_million_unknown_ports_suggests_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "MAX_COMPARISONS", 40)
    batch = PortSuggestions(PLACES)
    frame = pl.DataFrame({"item": range(1, 1_000_001)}, schema={"item": pl.UInt32})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in GOOD.items())
    frame = frame.with_columns(origin=pl.format("CNSG{}", "item"))
    for hinted in (10, 0):
        # Both slices of a batch share the limit: ten codes were compared with two names and two codes.
        messages = check_items(frame, PLACES, batch).rejections["message"]
        assert messages.str.contains("did you mean").sum() == hinted
        frame = frame.with_columns(origin=pl.format("CNSH{}", "item"))


def test_validation_states_the_length_of_a_period_that_is_too_long() -> None:
    checked = check(
        {"date_from": "2000-01-01", "date_to": "2027-05-18"}, {"date_from": "2000-01-01", "date_to": "2100-12-31"}
    )
    assert checked.rejections["message"].to_list() == [
        "the price is valid for 10,000 days, limit 3,660; split the period",
        "the price is valid for 36,890 days, limit 3,660; split the period",
    ]


def test_validation_reports_all_errors_of_an_item() -> None:
    checked = check({"origin": "X", "destination": "Y", "price": "Z", "date_from": "W"})
    assert set(checked.rejections["code"]) == {"UNKNOWN_PORT", "INVALID_PRICE", "INVALID_DATE"}
    assert len(checked.rejections) == 4


def test_validation_accepts_equal_origin_and_destination_with_a_warning() -> None:
    checked = check({"destination": "CNSGH"})
    assert checked.rejections.select("code", "severity").rows() == [("SAME_PORT", "WARNING")]
    assert len(checked.valid) == 1


def test_validation_truncates_and_sanitizes_rejected_values() -> None:
    checked = check({"price": "a\x00" + "b" * 5000})
    (value,) = checked.rejections["value"]
    assert len(value) == 200
    assert value.startswith("a\ufffdb")


def test_validation_without_locations_rejects_every_port_as_unknown() -> None:
    frame = pl.DataFrame([{"item": 1, **GOOD}], schema={"item": pl.UInt32, **dict.fromkeys(GOOD, pl.String)})
    assert check_items(frame, []).rejections["code"].to_list() == ["UNKNOWN_PORT", "UNKNOWN_PORT"]
