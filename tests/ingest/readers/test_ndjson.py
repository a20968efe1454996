"""NDJSON price files: every line is judged by itself, and problems are those of its item."""

import io
import json

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.batches import FileFormat, Rejection
from domain.file_formats import detect_format
from ingest.errors import FileRejected
from ingest.readers import line_blocks, ndjson
from ingest.readers.ndjson import COLUMNS
from ingest.readers.ndjson_line import parse_line
from ingest.readers.price_file import read_slices
from ingest.readers.problems import PROBLEM_SCHEMA

LINE = {"origin": "CNSGH", "destination": "NLRTM", "date_from": "2026-05-01", "date_to": "2026-05-31", "price": 1450.5}
GOOD = json.dumps({**LINE, "currency": "EUR"}).encode()
ROW = ("CNSGH", "NLRTM", "2026-05-01", "2026-05-31", "1450.5", "EUR")


def read(data: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the items and the problems of a file."""
    slices = list(read_slices(io.BytesIO(data), FileFormat.NDJSON))
    return pl.concat(part.items for part in slices), pl.concat(part.problems for part in slices)


def line(**values: object) -> bytes:
    """Return a valid line with other values, or with more keys."""
    return json.dumps({**LINE, **values}).encode()


@pytest.mark.parametrize(
    "second",
    [
        GOOD.replace(b"currency", b"Currency"),
        GOOD.replace(b"currency", b"CURRENCY "),
        GOOD.replace(b"date_to", b"dateTo"),
        GOOD.replace(b"date_to", b"DateTo").replace(b"date_from", b"Date From"),
        GOOD.replace(b"date_to", b" date-to ").replace(b"date_from", b"DATE_FROM"),
        GOOD.replace(b"origin", rb"orig\u0069n"),
        GOOD.replace(b": ", b":").replace(b", ", b" ,\t"),
        b"\xef\xbb\xbf" + GOOD,
        b"  " + GOOD + b" \t",
    ],
)
def test_ndjson_line_with_another_spelling_is_an_equal_item(second: bytes) -> None:
    for lines in ([GOOD, second, GOOD], [second, GOOD, second]):
        items, problems = read(b"\n".join(lines))
        assert items.rows() == [(number, *ROW) for number in (1, 2, 3)]
        assert problems.rows() == []


@pytest.mark.parametrize(
    ("bad", "field", "code", "message", "value"),
    [
        (line(curr="EUR"), None, "WRONG_COLUMNS", 'unknown key "curr"; did you mean currency?', "curr"),
        (line(carrier="MAEU"), None, "WRONG_COLUMNS", 'unknown key "carrier"', "carrier"),
        (line(carrier=None), None, "WRONG_COLUMNS", 'unknown key "carrier"', "carrier"),
        (line(**{"": 1}), None, "WRONG_COLUMNS", 'unknown key ""', ""),
        (line(**{"a\nb\0": 1}), None, "WRONG_COLUMNS", r'unknown key "a\nb\u0000"', "a\nb\0"),
        (line(**{"x\ud800": 1}), None, "WRONG_COLUMNS", 'unknown key "x?"', "x?"),
        (line(**{"x" * 100: 1}), None, "WRONG_COLUMNS", f'unknown key "{"x" * 60}"', "x" * 100),
        (GOOD[:-1] + b', "price": 2}', "price", "WRONG_COLUMNS", "price is given more than once", "price"),
        (GOOD[:-1] + b', "price": null}', "price", "WRONG_COLUMNS", "price is given more than once", "price"),
        (GOOD[:-1] + b', "currency": "EUR"}', "currency", "WRONG_COLUMNS", "currency is given more than once", "currency"),
        (
            line(currency="EUR", Currency="USD"),
            "currency",
            "WRONG_COLUMNS",
            'currency is given more than once, as "currency" and "Currency"',
            "Currency",
        ),
        (
            line(dateTo="2026-05-01"),
            "dateTo",
            "WRONG_COLUMNS",
            'date_to is given more than once, as "date_to" and "dateTo"',
            "dateTo",
        ),
        (line(day="2026-05-01"), None, "WRONG_COLUMNS", "day and origin are keys of different layouts", None),
        (line(price=[1]), "price", "WRONG_COLUMNS", "price is a list; expected text or a number", None),
        (line(price=[]), "price", "WRONG_COLUMNS", "price is a list; expected text or a number", None),
        (line(date_to={}), "dateTo", "WRONG_COLUMNS", "date_to is an object; expected text or a number", None),
        (line(origin={"code": "CNSGH"}), "origin", "WRONG_COLUMNS", "origin is an object; expected text or a number", None),
        (line(origin="CN\ud800"), "origin", "INVALID_TEXT", "origin contains an unpaired surrogate", "CN?"),
        (GOOD + b",", None, "INVALID_JSON", "not a JSON object: extra data at column 132", (GOOD + b",").decode()),
        (GOOD[:-1] + b",}", None, "INVALID_JSON", None, (GOOD[:-1] + b",}").decode()),
        (GOOD + GOOD, None, "INVALID_JSON", "not a JSON object: extra data at column 132", (GOOD + GOOD).decode()),
        (GOOD[:50], None, "INVALID_JSON", "not a JSON object: unterminated string starting at column 45", GOOD[:50].decode()),
        (b'{"origin": 01}', None, "INVALID_JSON", "not a JSON object: expecting ',' delimiter at column 13", '{"origin": 01}'),
        (b"[1, " + GOOD + b"]", None, "INVALID_JSON", "not a JSON object", f"[1, {GOOD.decode()}]"),
        (b"5", None, "INVALID_JSON", "not a JSON object", "5"),
        (b'"x"', None, "INVALID_JSON", "not a JSON object", '"x"'),
        (b"null", None, "INVALID_JSON", "not a JSON object", "null"),
        (b"origin,destination", None, "INVALID_JSON", "not a JSON object: expecting value at column 1", "origin,destination"),
        (b"\x0c", None, "INVALID_JSON", "not a JSON object: expecting value at column 1", "\x0c"),
        (b"\xc2\xa0", None, "INVALID_JSON", "not a JSON object: expecting value at column 1", "\xa0"),
        (b'{"origin":' + b"[" * 90_000, None, "INVALID_JSON", "not a JSON object: nested too deeply", ...),
        (b'{"origin":' * 90_000, None, "INVALID_JSON", "not a JSON object: nested too deeply", ...),
        (b'{"origin":"\xe9"}', None, "WRONG_ENCODING", "not valid UTF-8; save the file as UTF-8", '{"origin":"\ufffd"}'),
        (b'{"origin":"\0"}', None, "WRONG_ENCODING", "contains NUL characters; save the file as UTF-8", '{"origin":"\0"}'),
    ],
)  # fmt: skip
def test_ndjson_line_with_a_problem_is_rejected_with_its_number(
    bad: bytes, field: str | None, code: str, message: str | None, value: object
) -> None:
    for lines, number in (([GOOD, GOOD, b"", bad, GOOD], 4), ([bad, GOOD], 1), ([bad], 1)):
        items, problems = read(b"\n".join(lines))
        assert items["item"].to_list() == [n for n, text in enumerate(lines, start=1) if text]
        assert [row[1:] for row in items.rows() if row[0] != number] == [ROW] * (len(items) - 1)
        [(item, *found, text, shown)] = problems.rows()
        assert (item, found) == (number, [field, code])
        assert text == f"line {number}: {message}" or message is None
        assert shown == value or value is ...


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (b"NaN", "NaN"),
        (b"Infinity", "Infinity"),
        (b"-Infinity", "-Infinity"),
        (b"1e400", "1e400"),
        (b"9" * 400, "9" * 400),
        (b"true", "true"),
        (b"null", None),
        (b'" "', None),
        (b'"1,5"', "1,5"),
        (b'"a:b{null"', "a:b{null"),
        ('"\u2028"'.encode(), None),
    ],
)
def test_ndjson_value_of_any_type_is_the_text_of_its_item(number: bytes, text: str | None) -> None:
    items, problems = read(b"\n".join([GOOD, GOOD.replace(b"1450.5", number), GOOD]))
    assert items["price"].to_list() == ["1450.5", text, "1450.5"]
    assert problems.rows() == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\n \t\n"])
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 132, 8 << 20])
def test_ndjson_lines_may_end_in_any_way_and_be_blank(
    monkeypatch: pytest.MonkeyPatch, end: bytes, block_bytes: int
) -> None:
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", block_bytes)
    items, problems = read(end + end.join([GOOD] * 3) + end)
    step = len(end.replace(b"\r\n", b"\n").strip(b" \t").replace(b" \t", b""))
    assert items.rows() == [(1 + step * number, *ROW) for number in (1, 2, 3)]
    assert problems.rows() == []


def test_ndjson_layouts_may_change_between_lines() -> None:
    one_day = b'{"origin_code": "CNSGH", "destination_code": "NLRTM", "day": "2026-05-01", "price": "7"}'
    items, problems = read(b"\n".join([GOOD, one_day, GOOD]))
    assert items.rows() == [(1, *ROW), (2, "CNSGH", "NLRTM", "2026-05-01", None, "7", None), (3, *ROW)]
    assert problems.rows() == []


def test_ndjson_file_of_utf_16_is_rejected_as_a_whole() -> None:
    with pytest.raises(FileRejected) as caught:
        read(GOOD.decode().encode("utf-16-le"))
    assert (caught.value.code, caught.value.message) == (
        "WRONG_ENCODING",
        "line 1 contains NUL characters; save the file as UTF-8",
    )


def test_ndjson_file_with_too_many_problems_is_rejected_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_PROBLEMS", 3)
    monkeypatch.setattr(line_blocks, "MAX_LINES", 2)
    assert len(read(b"\n".join([GOOD, b"5", b"5", GOOD, b"5"]))[1]) == 3
    with pytest.raises(FileRejected) as caught:
        read(b"\n".join([GOOD, b"5", b"5", GOOD, b"5", b"5"]))
    assert (caught.value.code, caught.value.message) == (
        "BROKEN_FILE",
        "more than 3 lines have problems; line 2: not a JSON object",
    )


KEYS = st.sampled_from([
    "origin", "Origin", "destination", "date_from", "dateFrom", "date_to", "dateTo", "Date To ", "price", "PRICE",
    "currency", "curr", "origin_code", "day", "", "x:null", "{",
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [None, True, "", " A ", "null", ":null", ": null", "a:b", "{", "[", "\\", '"', "\u2028", "é", "\ud800"]
    ),
    st.sampled_from([[], {}, [1], {"a": None}, float("nan"), float("inf")]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Draw a line that is usually an object, with any keys and values, or damaged in one place."""
    pairs = draw(st.lists(st.tuples(KEYS, VALUES), max_size=7))
    colon, comma = draw(st.sampled_from([(":", ","), (": ", ", "), (" :", " ,")]))
    escaped = draw(st.booleans())
    body = comma.join(f"{json.dumps(key)}{colon}{json.dumps(value, ensure_ascii=escaped)}" for key, value in pairs)
    text = f"{{{body}}}".encode(errors="surrogatepass").replace(b"\n", b"")
    if draw(st.integers(0, 2)):
        return text
    at = draw(st.integers(0, len(text)))
    damage = draw(
        st.sampled_from([b"", b",", b":", b"}", b"{", b"[", b'"', b"\\", b"null", b"\xe9", b"\0", b" ", b"1", b"e"])
    )
    return text[:at] + damage + text[at + draw(st.integers(0, 3)) :]


def is_equal(found: str | None, expected: str | None) -> bool:
    """Return whether two texts are equal, or the same number."""
    try:
        return found == expected or float(found or "") == float(expected or "")
    except ValueError:
        return False


@given(st.lists(lines(), min_size=1, max_size=12))
@example([GOOD, GOOD[:-1] + b',"price":null}', line(date_to=None)])
@example([b"[{}"])
def test_ndjson_blocks_yield_what_their_lines_yield_one_by_one(drawn: list[bytes]) -> None:
    parsed = [
        (number, parse_line(text.rstrip(b" \t"))) for number, text in enumerate(drawn, start=1) if text.strip(b" \t")
    ]
    is_refused = isinstance(detect_format(io.BytesIO(b"\n".join(drawn)), FileFormat.NDJSON), Rejection)
    if not parsed or is_refused or b"\0" in drawn[0][:2]:
        # Nothing but blanks, the content of another format, such as a JSON array, or text in UTF-16.
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ndjson, "CHUNK_LINES", 2)
        patch.setattr(line_blocks, "MAX_LINES", 5)
        items, problems = read(b"\n".join(drawn))
    expected = [(number, *(line.problem or ())) for number, line in parsed if line.problem]
    assert problems.rows() == [(n, field, code, f"line {n}: {text}", value) for n, field, code, text, value in expected]
    assert problems.schema == PROBLEM_SCHEMA
    assert items["item"].to_list() == [number for number, _ in parsed]
    for column in COLUMNS:
        texts = pl.Series([line.cells.get(column) for _, line in parsed], dtype=pl.String).str.strip_chars()
        pairs = list(zip(items[column], texts, strict=True))
        assert [pair for pair in pairs if not is_equal(pair[0], pair[1] or None)] == []
