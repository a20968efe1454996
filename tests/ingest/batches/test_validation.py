"""Item validation: one code for each kind of mistake, and unusual but valid items."""

from datetime import date, timedelta

import polars as pl
import pytest

from db.repositories.prices import MAX_VALIDITY_DAYS
from domain.locations import Location, LocationKind
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
