"""Columns of Parquet files: every type becomes text, or is rejected with its name."""

import io
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.errors import FileRejected
from ingest.readers.parquet.columns import select_columns, to_text
from tests.support.batches.parquet import ITEMS, arrow_parquet, days_from_numbers

MIN_64, MAX_64 = -(2**63), 2**63 - 1
PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def texts(name: str, values: pl.Series) -> list[str | None]:
    """Return the values of the column as text."""
    return to_text(values.alias(name).to_frame())[name].to_list()


def read(columns: Mapping[str, Any], **options: object) -> pl.DataFrame:
    """Return the values of a file as text."""
    frame = pl.read_parquet(io.BytesIO(arrow_parquet(columns, **options)))
    return to_text(frame.select(select_columns(frame.schema)))


def times(*numbers: int | None, unit: str = "us", zone: str | None = None) -> pl.Series:
    """Return timestamps by their numbers since 1970."""
    return pl.Series(numbers, dtype=pl.Int64).cast(pl.Datetime(unit, zone))  # type: ignore[arg-type]


def moments(*moments: datetime, unit: str = "us", zone: str | None = None) -> pl.Series:
    """Return timestamps by their time in UTC."""
    seconds = [(moment.replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1) for moment in moments]
    return times(*(second * PER_SECOND[unit] for second in seconds), unit=unit, zone=zone)


def test_parquet_date_outside_the_calendar_becomes_a_description() -> None:
    days = {
        None: None,
        0: "1970-01-01",
        19_782: "2024-02-29",
        -719_162: "0001-01-01",
        2_932_896: "9999-12-31",
        -719_163: "1970-01-01 -719163 days",
        2_932_897: "1970-01-01 +2932897 days",
        95_026_601: "1970-01-01 +95026601 days",
        2**31 - 1: "infinity",
        1 - 2**31: "-infinity",
        -(2**31): "1970-01-01 -2147483648 days",
    }
    assert texts("date_to", pl.Series(list(days), dtype=pl.Int32).cast(pl.Date)) == list(days.values())


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_timestamp_outside_the_calendar_becomes_a_description(unit: str, zone: str | None) -> None:
    numbers = times(None, MAX_64, -MAX_64, MIN_64, MAX_64 - 1, unit=unit, zone=zone)
    assert texts("date_from", numbers) == [
        None,
        "infinity",
        "-infinity",
        f"1970-01-01 {MIN_64} {unit}",
        f"1970-01-01 +{MAX_64 - 1} {unit}",
    ]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_timestamp_is_a_day_only_at_midnight_of_its_zone(unit: str) -> None:
    midnight = datetime(2024, 1, 1)  # noqa: DTZ001
    assert texts("day", moments(midnight, unit=unit)) == ["2024-01-01"]
    noon = moments(midnight, midnight.replace(hour=12), unit=unit, zone="UTC")
    assert texts("day", noon) == ["2024-01-01", "2024-01-01T12:00:00"]
    shanghai = moments(midnight, midnight.replace(hour=16), unit=unit, zone="Asia/Shanghai")
    assert texts("day", shanghai) == ["2024-01-01T08:00:00", "2024-01-02"]
    # On this day the clocks of São Paulo went from 23:59 to 01:00.
    no_midnight = moments(datetime(2017, 10, 15, 3), unit=unit, zone="America/Sao_Paulo")  # noqa: DTZ001
    assert texts("day", no_midnight) == ["2017-10-15T01:00:00"]


def test_parquet_timestamp_preserves_the_fraction_of_a_second() -> None:
    assert texts("day", times(1, 1_000_000)) == ["1970-01-01T00:00:00.000001", "1970-01-01T00:00:01"]


ZONES = {None: 0, "UTC": 0, "Etc/GMT-14": 14, "Etc/GMT+12": -12}
"""Time zones with their hours ahead of UTC. The signs of their names are the reverse."""


@given(
    st.sampled_from(["ms", "us", "ns"]),
    st.sampled_from(list(ZONES)),
    st.lists(st.none() | st.integers(MIN_64, MAX_64) | st.integers(-(10**5), 10**5).map(lambda day: day * 86_400_000)),
)
@example("ms", "Etc/GMT-14", [253_402_300_799_999, -62_135_596_800_000, 253_402_300_800_000, -62_135_596_800_001])
@example("ms", "Etc/GMT+12", [253_402_300_799_999, -62_135_596_800_000, 253_402_300_800_000, -62_135_596_800_001])
@example("ns", "Etc/GMT-14", [MAX_64 - 86_400_000_000_000, 86_400_000_000_000 - MAX_64])
def test_parquet_timestamp_of_any_number_becomes_text(unit: str, zone: str | None, numbers: list[int | None]) -> None:
    found = texts("date_from", times(*numbers, unit=unit, zone=zone))
    for text, number in zip(found, numbers, strict=True):
        assert (text is None) == (number is None)
        if text is None or number is None:
            continue
        if (day := local_day(number, PER_SECOND[unit], zone)) is not None:
            assert text[:10] == day
        else:
            assert not DAY.fullmatch(text) or text[:4] in {"0000", "0001", "9999"}


def local_day(number: int, per_second: int, zone: str | None) -> str | None:
    """Return the day of a timestamp, or None near the ends of the calendar and of 64 bits."""
    if abs(number) >= MAX_64 - 86_400 * per_second:
        return None
    day = (number // per_second + ZONES[zone] * 3_600) // 86_400 + date(1970, 1, 1).toordinal()
    return date.fromordinal(day).isoformat() if 2 < day < date.max.toordinal() - 2 else None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([1450.5, float("nan"), float("inf"), -0.0, 1e300, None]), ["1450.5", "NaN", "inf", "-0.0", "1e+300", None]),
        (pl.Series([0.1, 1450.5], dtype=pl.Float32), ["0.1", "1450.5"]),
        (pl.Series([1.5, float("nan")], dtype=pl.Float16), ["1.5", "NaN"]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), ["18446744073709551615"]),
        (pl.Series([MIN_64], dtype=pl.Int64), [str(MIN_64)]),
        (pl.Series([2**127 - 1], dtype=pl.Int128), [str(2**127 - 1)]),
        (pl.Series([-128], dtype=pl.Int8), ["-128"]),
        (pl.Series([Decimal("-0.10")], dtype=pl.Decimal(38, 2)), ["-0.10"]),
        (pl.Series([Decimal("0." + "1" * 38)], dtype=pl.Decimal(38, 38)), ["0." + "1" * 38]),
        (pl.Series(["1,5", None]), ["1,5", None]),
        (pl.Series(["7", "8", None], dtype=pl.Categorical), ["7", "8", None]),
        (pl.Series(["7"], dtype=pl.Enum(["6", "7"])), ["7"]),
        (pl.Series([None, None], dtype=pl.Null), [None, None]),
    ],
    ids=str,
)  # fmt: skip
def test_parquet_price_of_every_numeric_type_becomes_text(values: pl.Series, expected: list[str | None]) -> None:
    assert texts("price", values) == expected


VALUES: list[tuple[str, pl.Series]] = [
    ("Boolean", pl.Series([None, True])),
    ("Int64", pl.Series([20_240_101])),
    ("Float64", pl.Series([float("nan"), 1.0])),
    ("Decimal", pl.Series([Decimal("1.5")])),
    ("Time", pl.Series([0], dtype=pl.Int64).cast(pl.Time)),
    ("Duration", pl.Series([timedelta(days=1)])),
]


@pytest.mark.parametrize("name", ["origin", "date_from", "dateTo", "day", "Currency"])
@pytest.mark.parametrize(("dtype", "values"), VALUES)
def test_parquet_value_of_an_unsuitable_type_is_rejected_with_its_column(
    name: str, dtype: str, values: pl.Series
) -> None:
    with pytest.raises(FileRejected) as caught:
        texts(name, values)
    assert caught.value.code == "WRONG_COLUMNS"
    expected = "dates, timestamps in a known time zone, or text" if "da" in name else "text"
    normal = {"dateTo": "date_to", "Currency": "currency"}.get(name, name)
    assert caught.value.message.startswith(f"column {normal} has type {dtype}")
    assert caught.value.message.endswith(f"; expected {expected}")


@pytest.mark.parametrize("values", [pl.Series([date(2024, 1, 1)]), times(0), pl.Series([True]), VALUES[-1][1]])
def test_parquet_price_of_an_unsuitable_type_is_rejected(values: pl.Series) -> None:
    with pytest.raises(FileRejected) as caught:
        texts("price", values)
    assert caught.value.code == "WRONG_COLUMNS"
    assert "expected numbers of at most 38 digits, or text" in caught.value.message


@pytest.mark.parametrize("name", ["origin", "date_to", "currency"])
@pytest.mark.parametrize(("dtype", "values"), VALUES)
def test_parquet_column_without_values_may_have_any_plain_type(name: str, dtype: str, values: pl.Series) -> None:
    empty = pl.Series([None, None], dtype=values.dtype)
    assert texts(name, empty) == [None, None], dtype
    # Some writers store NaN for an absent value.
    assert texts(name, pl.Series([float("nan"), None])) == [None, None]


@pytest.mark.parametrize(
    ("dtype", "shown"),
    [
        (pl.List(pl.Int64), "List(Int64)"),
        (pl.Array(pl.Int64, 2), "Array(Int64, shape=(2,))"),
        (pl.Struct({"a": pl.Int64}), "Struct({'a': Int64})"),
        (pl.Struct({f"field {number}": pl.Int64 for number in range(99)}), "Struct("),
        (pl.Binary(), "Binary"),
        (pl.Object(), "Object"),
        (pl.Decimal(39, 2), "Decimal(precision=39, scale=2)"),
        (pl.Datetime("ns", "Mars/Olympus_Mons"), "Datetime(time_unit='ns', time_zone='Mars/Olympus_Mons')"),
        (pl.Extension("pandas.period", pl.Int64, '{"freq": "D"}'), "Extension('pandas.period', Int64"),
        (pl.Extension("arrow.json", pl.String), "Extension('arrow.json', String"),
    ],
    ids=str,
)
def test_parquet_column_of_an_unreadable_type_is_rejected_before_it_is_read(dtype: pl.DataType, shown: str) -> None:
    schema = {"origin_code": pl.String(), "destination_code": pl.String(), "day": dtype, "price": dtype}
    with pytest.raises(FileRejected) as caught:
        select_columns(schema)
    assert caught.value.code == "WRONG_COLUMNS"
    assert f"column day has type {shown}" in caught.value.message
    assert f"; column price has type {shown}" in caught.value.message
    assert len(caught.value.message) < 400


def test_parquet_index_columns_of_pandas_are_not_read() -> None:
    index = {f"__index_level_{level}__": pa.array([{"left": 1}, {"left": 2}]) for level in (0, 11)}
    assert read(index).columns == list(ITEMS)
    with pytest.raises(FileRejected) as caught:
        read({"index_level_0": pa.array([1, 2])})
    assert "unknown column index_level_0" in caught.value.message


ROWS = [
    ("CNSGH", "NLRTM", "2024-01-01", "2024-01-31", "1450.5", "USD"),
    ("CNSGH", "NLRTM", "2024-01-02", None, "-20.0", None),
]


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {name: ITEMS[name].cast(pa.large_string()) for name in ("origin", "currency")},
        {name: ITEMS[name].cast(pa.string_view()) for name in ("origin", "currency")},
        {name: ITEMS[name].dictionary_encode() for name in ITEMS},
        {"origin": ITEMS["origin"].cast(pa.large_string()).dictionary_encode()},
        {name: ITEMS[name].cast(pa.date64()) for name in ("date_from", "date_to")},
        {"date_from": ITEMS["date_from"].cast(pa.timestamp("s")), "date_to": ITEMS["date_to"].cast(pa.timestamp("ns", "UTC"))},
        {"price": ITEMS["price"].cast(pa.decimal256(5, 1))},
        {"price": ITEMS["price"].cast(pa.decimal32(5, 1))},
    ],
    # The text of an array contains its address, which differs between the workers of pytest-xdist.
    ids=lambda columns: ", ".join(f"{name} {values.type}" for name, values in columns.items()) or "as written",
)  # fmt: skip
def test_parquet_types_of_arrow_yield_equal_items(columns: Mapping[str, Any]) -> None:
    assert read(columns).rows() == ROWS


@pytest.mark.parametrize(
    "options",
    [
        {"compression": codec} for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")
    ]
    + [
        {"version": "1.0", "data_page_version": "2.0"},
        {"store_schema": False},
        {"row_group_size": 1},
        {"write_page_index": True, "write_page_checksum": True},
        {"use_dictionary": False, "column_encoding": {"origin": "DELTA_BYTE_ARRAY", "date_from": "DELTA_BINARY_PACKED"}},
        {"use_dictionary": False, "column_encoding": {"currency": "DELTA_LENGTH_BYTE_ARRAY", "price": "BYTE_STREAM_SPLIT"}},
    ],
    ids=str,
)  # fmt: skip
def test_parquet_encodings_yield_equal_items(options: Mapping[str, object]) -> None:
    assert read({}, **options).rows() == ROWS


def test_parquet_timestamps_of_96_bits_are_days() -> None:
    columns = {"date_from": pa.array([0, MAX_64], pa.int64()).cast(pa.timestamp("ns"))}
    frame = read(columns, use_deprecated_int96_timestamps=True)
    assert frame["date_from"].to_list() == ["1970-01-01", "infinity"]


def test_parquet_numbers_of_days_outside_the_calendar_can_be_read() -> None:
    frame = read({"date_from": days_from_numbers(2**31 - 1, None), "date_to": days_from_numbers(-(2**31), 0)})
    assert frame["date_from"].to_list() == ["infinity", None]
    assert frame["date_to"].to_list() == ["1970-01-01 -2147483648 days", "1970-01-01"]
