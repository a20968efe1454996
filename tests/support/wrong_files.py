"""Unusable price files, each with the code and message of its batch."""

import base64
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import polars as pl
import pyarrow as pa

from ingest.readers.columns import ONE_DAY_COLUMNS
from ingest.readers.price_file import MAX_ITEMS
from tests.support.batches.parquet import write_table
from tests.support.batches.workbooks import Sheet, workbook, workbook_parts, zipped

HEADER = b"origin,destination,date_from,date_to,price,currency\n"
LINE = b"AAAAA,BBBBB,2024-01-01,2024-01-31,10,USD\n"
OBJECT = b'{"origin":"AAAAA","destination":"BBBBB","date_from":"2024-01-01","date_to":"2024-01-01","price":1}\n'
CHUNK_BYTES = 16 << 20
SOUND_PARQUET = zlib.decompress(base64.b64decode(
    "eNqNVM1u2kAQXoyDIsqBQ3aFJR+4YCUKSsEtAlcq1RjaJCohQNWQoEiVwRgoDo4wgdBjj32Annrqk/RQ5ZAnyKlPUEU99NJbd2ygbVBLV97d"
    "+fnm25nx2hWopalIwzRcogIlhAT4BEpolEaT3BGlIRoiROBWMUCCNCJlSCgqxe45w16nN3jVcsw2JUxkR+xISSrrZIlMX00WNdvuqDcwRj3n"
    "DuNVQPkYWOYsrOYMmsZ0QXMrKNcC4UEylTGI/AoKIh8f357QsJQgISm2dj7stfwU8iyv3ASJJLMkVRlHcekqsBBvhYV4E6R5FKkgne6JQ8cZ"
    "Ud6LSEL4o1MJUpIRhPalon93YvZzPcx1PyeekiRLJeVtQF79Iti1SDeI8kGQ/7vP7ItIGVE+B+V/tZF991DvRfnvHWPv1jiGfRKYqKzzbQOb"
    "FItArXZYf+S2uu0zI/ZVuI9j0tEB4CmfkBtz/bIKvu6ZngO4UPD2KmxXED9B+z5AZ4ZDfOEEFW8pzu0ADcRPUfJAyIOuIszGNp432Qe9A7sI"
    "0RG1p0+NetlGv43xl5278S/n8Z5/csAlvX9y3IeLFXjfDx6+cVxOGfVM19y1x01be91Ua96ZcPiGg3LurEjA5HB95hf1Aqn5XpvVf+AzF3PY"
    "St2DYKg+bp3ZA85vnahav1GFxyRWrji2MXTjm+fTUdcZbMXH7aHLb0Jc3UnvpOKbzYuebcazlpZSm+YDyzLVrGXlVDP9UM3mjJRmqFrGslQr"
    "a7RNTd2S8HYuHvKDf0wV/jP5CXkV6SI="
))  # fmt: skip
"""Two prices, one of them null, without compression. Stored as bytes, so that the bit offsets below stay valid."""
PANIC_BIT, ABORT_BIT = 241, 240
"""Bits of SOUND_PARQUET. Flipped, the first makes the decoder panic, the second makes it allocate two exabytes."""


@dataclass(frozen=True)
class WrongFile:
    """File of lazily generated chunks, with the expected rejection: of the file or of an item."""

    name: str
    file_format: str
    chunks: Callable[[], Iterator[bytes]]
    code: str
    message: str
    item: int | None = None


def whole(data: bytes) -> Callable[[], Iterator[bytes]]:
    """Return the data as one chunk."""
    return lambda: iter([data])


def bomb(line: bytes, head: bytes = b"") -> Callable[[], Iterator[bytes]]:
    """Return a gzip bomb: a file of repeated members that decompresses to a GiB of the line."""

    def pieces() -> Iterator[bytes]:
        member = gzip.compress(line * (CHUNK_BYTES // len(line)), compresslevel=6)
        return chain([gzip.compress(head, mtime=0)], repeat(member, (1 << 30) // CHUNK_BYTES))

    return pieces


def parquet(**given: pl.Expr) -> Callable[[], Iterator[bytes]]:
    """Return a Parquet file with the columns of the one-day layout, as given or of strings."""

    def pieces() -> Iterator[bytes]:
        buffer = io.BytesIO()
        frame = pl.select(given.get(name, pl.lit("1")).alias(name) for name in ONE_DAY_COLUMNS)
        frame.write_parquet(buffer, row_group_size=len(frame), statistics=False)
        yield buffer.getvalue()

    return pieces


def json_text() -> pl.Expr:
    """Return a text of the extension type for JSON."""
    return pl.lit(pl.Series(["1"]).ext.to(pl.Extension("arrow.json", pl.String)))


def repeated_text(text: str, rows: int) -> Callable[[], Iterator[bytes]]:
    """Return a Parquet file that stores the text once."""
    rest = {name: pa.array(["1"] * rows) for name in ONE_DAY_COLUMNS}
    day = pa.DictionaryArray.from_arrays(pa.array([0] * rows), pa.array([text]))
    return whole(write_table(pa.table({**rest, "day": day}), compression="zstd", store_schema=False))


def huge_category() -> pl.Expr:
    """Return a category of 10 kB, in 20,000 rows."""
    return pl.repeat("x" * 10_000, 20_000).cast(pl.Categorical)


def null_columns(rows: int) -> Callable[[], Iterator[bytes]]:
    """Return a Parquet file of a few kilobytes with the number of null rows."""
    return parquet(**{name: pl.repeat(None, rows, dtype=pl.Null) for name in ONE_DAY_COLUMNS})


def flip_bit(bit: int) -> bytes:
    """Return SOUND_PARQUET with the bit flipped."""
    data = bytearray(SOUND_PARQUET)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def other_columns() -> bytes:
    """Return a Parquet file with unrelated columns."""
    buffer = io.BytesIO()
    pl.DataFrame({"vessel": ["A"], "draught": [1.5]}).write_parquet(buffer)
    return buffer.getvalue()


def long_line(head: bytes) -> Callable[[], Iterator[bytes]]:
    """Return a file that ends with a line of 200 MiB."""
    return lambda: chain([head], repeat(b"x" * CHUNK_BYTES, (200 << 20) // CHUNK_BYTES))


SHEET = "xl/worksheets/sheet1.xml"
BOMB_ROWS = "<row>" + " " * (1 << 20) + "</row>"


def bomb_parts() -> dict[str, str]:
    """Return a workbook whose sheet has 32 MiB of spaces."""
    parts = workbook_parts(Sheet([("day",)]))
    return parts | {SHEET: parts[SHEET].replace("<row", BOMB_ROWS * 32 + "<row", 1)}


def workbook_bomb() -> Iterator[bytes]:
    """Return a workbook that decompresses to almost a thousand times its size."""
    return iter([zipped(bomb_parts())])


def lying_workbook_bomb() -> Iterator[bytes]:
    """Return the same workbook with a small decompressed size in its directory."""
    parts = bomb_parts()
    size = len(parts[SHEET]).to_bytes(4, "little")
    return iter([zipped(parts).replace(size, (99_999).to_bytes(4, "little"))])


DISTANT = workbook_parts(Sheet([("day", "price"), (None, 1)]))
DISTANT_CELL = zipped(DISTANT | {SHEET: DISTANT[SHEET].replace('"B2"', '"XFD1048576"')})

ONE_DAY = b"AAAAA,BBBBB,2024-01-01,,10,USD\n"
LATIN_1 = HEADER + ONE_DAY * 250_000 + "Göteborg,BBBBB,2024-01-01,,1,USD\n".encode("latin-1") + LINE * 10
DEEP = b'{"origin":' + b"[" * 400_000 + b"]" * 400_000 + b"}\n"
DEEPER = b'{"origin":' * 90_000 + b"1" + b"}" * 90_000 + b"\n"
CUT_GZIP = gzip.compress(HEADER + LINE * 100_000, mtime=0)[:-2_000]
BOMB = "compression ratio exceeds 200:1"

WRONG_FILES = [
    WrongFile("empty", "csv", whole(b""), "EMPTY_BATCH", "no rows"),
    WrongFile("empty gzip", "csv.gz", whole(b""), "EMPTY_BATCH", "no rows"),
    WrongFile("no rows", "csv", whole(HEADER + b"\n" * 100_000), "EMPTY_BATCH", "no rows"),
    WrongFile("cut gzip", "csv.gz", whole(CUT_GZIP), "BROKEN_FILE", "truncated gzip data"),
    WrongFile("other data after gzip", "csv.gz", whole(gzip.compress(HEADER, mtime=0) + LINE), "BROKEN_FILE", "followed by"),
    WrongFile("PDF", "csv", whole(b"%PDF-1.7\n"), "UNKNOWN_FORMAT", "the file is a PDF document"),
    WrongFile("zip archive", "csv", whole(zipped({"a.csv": HEADER + LINE})), "UNKNOWN_FORMAT", "the file is a zip archive"),
    WrongFile("cut workbook", "xlsx", whole(workbook([("day",)])[:-50]), "BROKEN_FILE", "a damaged or truncated zip archive"),
    WrongFile("spaces in a workbook", "xlsx", workbook_bomb, "BROKEN_FILE", BOMB),
    WrongFile("hidden size of a workbook", "xlsx", lying_workbook_bomb, "BROKEN_FILE", "save the sheet as CSV"),
    WrongFile("distant cell in a workbook", "xlsx", whole(DISTANT_CELL), "BROKEN_FILE", "16,384 columns; delete everything"),
    WrongFile("wrong header", "csv", whole(b"a,b\n1,2\n"), "WRONG_COLUMNS", "unexpected columns a,b; expected origin_code"),
    WrongFile("half a million columns", "csv", whole(b"a," * 500_000 + b"\n" + b"1," * 500_000), "WRONG_COLUMNS", "a,a,a"),
    WrongFile("half a million fields", "csv", whole(HEADER + b"1," * 500_000), "BROKEN_FILE", "line 2 has 500001 fields"),
    WrongFile("latin-1 in UTF-8", "csv", whole(LATIN_1), "WRONG_ENCODING", "line 250002 is not valid UTF-8"),
    WrongFile("cut UTF-16", "csv", whole((HEADER + LINE).decode().encode("utf-16")[:-1]), "WRONG_ENCODING", "not valid UTF-16"),
    WrongFile("UTF-16 unmarked", "csv", whole(HEADER.decode().encode("utf-16-be")), "WRONG_ENCODING", "line 1 contains NUL"),
    WrongFile("UTF-16 objects", "ndjson", whole(OBJECT.decode().encode("utf-16-le")), "WRONG_ENCODING", "line 1 contains NUL"),
    WrongFile("NUL", "csv", whole(HEADER + LINE * 9 + b"\0,\0,\0,\0,\0,\0\n"), "WRONG_ENCODING", "line 11 contains NUL"),
    WrongFile("NUL in a name", "ndjson", whole(rb'{"origin\u0000":1}'), "WRONG_COLUMNS", r'"origin\u0000"', 1),
    WrongFile("only quotes", "csv", whole(b'"' * CHUNK_BYTES), "BROKEN_FILE", "line 1 is longer than 1 MiB"),
    WrongFile("open quote", "csv", whole(HEADER + b'"' + LINE * 50_000), "BROKEN_FILE", "line 2: unterminated quote"),
    WrongFile("200 MiB line", "csv", long_line(HEADER + LINE), "BROKEN_FILE", "line 3 is longer than 1 MiB"),
    WrongFile("200 MiB object", "ndjson", long_line(OBJECT + b'{"origin":"'), "BROKEN_FILE", "line 2 is longer than 1 MiB"),
    WrongFile("deep lists", "ndjson", whole(OBJECT + DEEP), "INVALID_JSON", "line 2: not a JSON object: nested", 2),
    WrongFile("deep objects", "ndjson", whole(DEEPER), "INVALID_JSON", "line 1: not a JSON object: nested", 1),
    WrongFile("not an object", "ndjson", whole(OBJECT + b"5\n" + OBJECT), "INVALID_JSON", "line 2: not a JSON object", 2),
    WrongFile("latin-1 in NDJSON", "ndjson", whole(OBJECT + b'"\xe9"\n'), "WRONG_ENCODING", "line 2: not valid UTF-8", 2),
    WrongFile("GiB of zeros", "csv.gz", bomb(b"\0"), "BROKEN_FILE", BOMB),
    WrongFile("GiB of newlines", "csv.gz", bomb(b"\n", HEADER), "BROKEN_FILE", BOMB),
    WrongFile("GiB of empty objects", "ndjson.gz", bomb(b"\n", OBJECT), "BROKEN_FILE", BOMB),
    WrongFile("GiB of a valid line", "csv.gz", bomb(LINE, HEADER), "BROKEN_FILE", BOMB),
    WrongFile("GiB of a wrong line", "csv.gz", bomb(b"A,B,C,D,E,F\n", HEADER), "BROKEN_FILE", BOMB),
    WrongFile("not Parquet", "parquet", whole(b"PAR1" + HEADER + LINE), "BROKEN_FILE", "is truncated"),
    WrongFile("cut Parquet", "parquet", whole(SOUND_PARQUET[:-50]), "BROKEN_FILE", "Parquet file is truncated"),
    WrongFile("Parquet that panics", "parquet", whole(flip_bit(PANIC_BIT)), "BROKEN_FILE", "is damaged"),
    WrongFile("Parquet that aborts", "parquet", whole(flip_bit(ABORT_BIT)), "BROKEN_FILE", "exceeded the memory or time limit"),
    WrongFile("other Parquet", "parquet", whole(other_columns()), "WRONG_COLUMNS", "unexpected columns vessel,draught"),
    WrongFile("nested Parquet", "parquet", parquet(price=pl.concat_list(1, 2)), "WRONG_COLUMNS", "price has type List"),
    WrongFile("JSON in Parquet", "parquet", parquet(price=json_text()), "WRONG_COLUMNS", "price has type Extension("),
    WrongFile("numbers as days", "parquet", parquet(day=pl.lit(20_240_101)), "WRONG_COLUMNS", "day has type Int32"),
    WrongFile("times in Parquet", "parquet", parquet(price=pl.duration(days=1)), "WRONG_COLUMNS", "price has type Duration"),
    WrongFile("no rows in Parquet", "parquet", null_columns(0), "EMPTY_BATCH", "no rows"),
    WrongFile("many rows in Parquet", "parquet", null_columns(MAX_ITEMS + 1), "TOO_MANY_ITEMS", "limit 100,000,000"),
    WrongFile("few bytes for many rows", "parquet", null_columns(5_000_000), "BROKEN_FILE", "more than 100 per byte"),
    WrongFile("one huge text", "parquet", parquet(day=pl.repeat("x" * 1_000_000, 300)), "BROKEN_FILE", "MiB of text"),
    # The sum of their lengths is zero in 32 bits.
    WrongFile("4 GiB of text", "parquet", repeated_text("x" * (16 << 20), 256), "BROKEN_FILE", "MiB of text"),
    WrongFile("huge category", "parquet", parquet(day=huge_category()), "BROKEN_FILE", "MiB of text"),
    WrongFile(
        "huge texts",
        "parquet",
        parquet(day=pl.int_range(1_000).cast(pl.String) + pl.lit("x" * 200_000)),
        "BROKEN_FILE",
        "rows 1 to 1000 contain more than 64 MiB of text",
    ),
]  # fmt: skip
