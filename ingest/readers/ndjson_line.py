"""Parses one line of an NDJSON file strictly: encoding, JSON, every key and every value.

This takes some 8 µs, twenty times as long as polars. So `ingest.readers.ndjson` passes only lines that polars could misread.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingest.readers.columns import FIELDS, KNOWN_COLUMNS, PERIOD_NAMES, PRICES, find_similar_column, normal_name

DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_float=str, parse_int=str, parse_constant=str)
"""Decodes an object as a tuple of pairs, which preserves repeated keys, and a number as its text.

NaN and Infinity, which are not JSON, become text too. They are then the value of their field, as in a CSV file.
"""
KEY_SETS = tuple(frozenset({*layout, *PRICES.optional}) for layout in PRICES.choices)
SHOWN_CHARACTERS = 60
SAVE_AS_UTF8 = "save the file as UTF-8"

Pairs = tuple[tuple[str, object], ...]


class Problem(NamedTuple):
    """Problem of a line. The fields are those of `domain.batches.Rejection`."""

    field: str | None
    code: str
    message: str
    value: str | None


class ParsedLine(NamedTuple):
    """Cells of a line, by column of the layout for periods, and its problem.

    `keys` maps each key to its column in the layout of the line, and is empty for a line with a problem.
    """

    cells: Mapping[str, str | None]
    keys: Mapping[str, str]
    problem: Problem | None


def parse_line(line: bytes) -> ParsedLine:
    """Parse a line, valid or not. The message of its problem does not name the line."""
    pairs = _decode(line)
    if isinstance(pairs, Problem):
        return ParsedLine({}, {}, pairs)
    columns = [normal_name(key) for key, _ in pairs]
    fields = [PERIOD_NAMES.get(column, column) for column in columns]
    cells = {field: _to_text(value) for field, (_, value) in zip(fields, pairs, strict=True)}
    problem = _check_keys(columns, [key for key, _ in pairs]) or _check_values(fields, [value for _, value in pairs])
    keys = {} if problem else {key: column for column, (key, _) in zip(columns, pairs, strict=True)}
    return ParsedLine(cells, keys, problem)


def _decode(line: bytes) -> Pairs | Problem:
    """Return the pairs of the line's object, or the problem.

    A byte order mark before the object is ignored: joined files contain several.
    """
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        shown = line[: 4 * SHOWN_CHARACTERS].decode(errors="replace")
        return Problem(None, "WRONG_ENCODING", f"not valid UTF-8; {SAVE_AS_UTF8}", shown)
    if "\0" in text:
        return Problem(None, "WRONG_ENCODING", f"contains NUL characters; {SAVE_AS_UTF8}", text)
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg[0].lower()}{error.msg[1:].removesuffix(' at')} at column {error.colno}"
        return Problem(None, "INVALID_JSON", f"not a JSON object: {reason}", text)
    except RecursionError:
        return Problem(None, "INVALID_JSON", "not a JSON object: nested too deeply", text)
    return value if isinstance(value, tuple) else Problem(None, "INVALID_JSON", "not a JSON object", text)


def _check_keys(columns: Sequence[str], keys: Sequence[str]) -> Problem | None:
    """Return the first problem of the keys, or None if all of them are columns of one layout."""
    names = set(columns)
    if len(names) == len(columns) and any(names <= known for known in KEY_SETS):
        return None
    unknown = next((number for number, column in enumerate(columns) if column not in KNOWN_COLUMNS), None)
    if unknown is not None:
        similar = find_similar_column(columns[unknown])
        hint = f"; did you mean {similar}?" if similar else ""
        return _wrong_keys(None, f"unknown key {_quote(keys[unknown])}{hint}", keys[unknown])
    repeated = next((column for column in columns if columns.count(column) > 1), None)
    if repeated is not None:
        first, second, *_ = (key for key, column in zip(keys, columns, strict=True) if column == repeated)
        spellings = "" if first == second else f", as {_quote(first)} and {_quote(second)}"
        return _wrong_keys(repeated, f"{repeated} is given more than once{spellings}", second)
    one_day, period = (next(column for column in columns if column not in known) for known in reversed(KEY_SETS))
    return _wrong_keys(None, f"{one_day} and {period} are keys of different layouts", None)


def _check_values(columns: Sequence[str], values: Sequence[object]) -> Problem | None:
    """Return the first problem of the values, or None if all of them are plain text."""
    for column, value in zip(columns, values, strict=True):
        if isinstance(value, list | tuple):
            kind = "a list" if isinstance(value, list) else "an object"
            return _wrong_keys(column, f"{column} is {kind}; expected text or a number", None)
        if isinstance(value, str) and _printable(value) != value:
            message = f"{column} contains an unpaired surrogate"
            return Problem(FIELDS.get(column, column), "INVALID_TEXT", message, _printable(value))
    return None


def _wrong_keys(column: str | None, message: str, key: str | None) -> Problem:
    field = None if column is None else FIELDS.get(column, column)
    return Problem(field, "WRONG_COLUMNS", message, None if key is None else _printable(key))


def _to_text(value: object) -> str | None:
    """Return a plain value as text, and None for null, lists and objects."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _printable(value) if isinstance(value, str) else None


def _printable(text: str) -> str:
    """Return the text with question marks for unpaired surrogates, which have no UTF-8."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _quote(key: str) -> str:
    """Return the beginning of a key as JSON, on one line."""
    return json.dumps(_printable(key[:SHOWN_CHARACTERS]), ensure_ascii=False)
