"""Enums: a description of every value, and the codes of problems that are reported as data.

The enums of `domain` know no GraphQL, so they are registered here, with their descriptions. Modules of GraphQL types import
them from here: strawberry registers an enum at first use, and that must have descriptions.
"""

from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain.batches import BatchStatus, FileFormat, OnError, Severity
from domain.intervals import Interval
from domain.locations import LocationKind
from domain.price_series import DownloadFormat, NullReason
from resolvers.caller import AuthScope

__all__ = [
    "ENUMS",
    "BatchStatus",
    "DownloadFormat",
    "FileFormat",
    "Interval",
    "LocationKind",
    "NullReason",
    "OnError",
    "ProblemCode",
    "Severity",
]


def describe_enum(kind: type[Enum], description: str, **values: str) -> type[Enum]:
    """Register an enum with a description of itself and of each value, and return it."""
    strawberry.enum(kind, description=description)
    definition: StrawberryEnumDefinition = kind.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
    return kind


ENUMS = [
    describe_enum(
        BatchStatus,
        "The processing status of a price batch. A batch is QUEUED, then RUNNING, and ends as APPLIED, REJECTED or FAILED.",
        QUEUED="The batch is stored and waits for a worker.",
        RUNNING="A worker processes the batch, or will retry it after a failed attempt.",
        APPLIED="The prices of the batch count.",
        REJECTED="No price of the batch counts, because of its items.",
        FAILED="No price of the batch counts, because of repeated internal errors; `failure` has the reason.",
        REVERTED="The batch was applied, and `revertBatch` has removed its prices.",
    ),
    describe_enum(
        OnError,
        "The effect of an invalid item on its batch.",
        REJECT_BATCH="No item is applied if one is invalid.",
        SKIP_INVALID="All valid items are applied, and the invalid ones are reported.",
    ),
    describe_enum(
        FileFormat,
        "The format of a price file.",
        CSV="Lines of values in UTF-8, with a header that shows whether commas, semicolons, tabs or bars separate them.",
        CSV_GZIP="A CSV file compressed by gzip.",
        NDJSON="One JSON object per line, in UTF-8.",
        NDJSON_GZIP="An NDJSON file compressed by gzip.",
        PARQUET="An Apache Parquet file.",
        XLSX="An Excel workbook (.xlsx) with prices in one visible sheet.",
    ),
    describe_enum(
        Severity,
        "Whether a rejection excluded its item from the batch.",
        ERROR="The item was excluded.",
        WARNING="The item was applied.",
    ),
    describe_enum(
        LocationKind,
        "The kind of a location.",
        PORT="A port, identified by its UN/LOCODE.",
        REGION="A region, which stands for all ports below it at any depth.",
    ),
    describe_enum(
        AuthScope,
        "A permission of a caller.",
        READ="Read prices and locations.",
        UPLOAD="Upload batches, and read and revert those of the caller.",
        ADMIN="All permissions, also for the batches of others and the region tree.",
    ),
    describe_enum(
        Interval,
        "The length of a bucket.",
        DAY="A day.",
        WEEK="A week from Monday to Sunday (ISO 8601).",
        MONTH="A calendar month.",
        QUARTER="A quarter from January, April, July or October.",
        YEAR="A calendar year.",
    ),
    describe_enum(
        DownloadFormat,
        "The format of a file with price series.",
        CSV="Comma-separated values with a header line, in UTF-8.",
        PARQUET="An Apache Parquet file.",
        ARROW="An Apache Arrow IPC file (Feather).",
    ),
    describe_enum(
        NullReason,
        "Why a bucket has no figures; the first reason that applies.",
        NO_PRICES="It has no prices.",
        BELOW_MINIMUM_SAMPLE="It has fewer prices than the minimum sample.",
        NO_EXCHANGE_RATE="It has prices on a day for which the currency has no rate.",
    ),
]
"""The enums of `domain`, registered for the schema."""


@strawberry.enum(description="The kind of a problem that is reported as data. Later versions may add codes.")
class ProblemCode(Enum):
    """Codes of `domain.batches.Rejection` that clients may receive."""

    AMBIGUOUS_ALIAS = strawberry.enum_value(
        "AMBIGUOUS_ALIAS", description="An alias would stand for several locations."
    )
    BATCH_NOT_APPLIED = strawberry.enum_value(
        "BATCH_NOT_APPLIED", description="Only applied batches can be reverted, once."
    )
    BATCH_TOO_LARGE = strawberry.enum_value(
        "BATCH_TOO_LARGE", description="Items that are valid for long have too many price days or lane-months."
    )
    BROKEN_FILE = strawberry.enum_value(
        "BROKEN_FILE", description="The file cannot be read to its end, or only at a disproportionate cost."
    )
    CSV_DIALECT = strawberry.enum_value(
        "CSV_DIALECT",
        description="A warning: the fields of a CSV file are not separated by commas; the message says how they are read.",
    )
    DATE_RANGE_TOO_LONG = strawberry.enum_value(
        "DATE_RANGE_TOO_LONG", description="The price holds for more than 3,660 days."
    )
    DUPLICATE_LOCATION = strawberry.enum_value("DUPLICATE_LOCATION", description="A code or slug is listed twice.")
    EMPTY_BATCH = strawberry.enum_value("EMPTY_BATCH", description="The upload, file or change contains no items.")
    IDEMPOTENCY_KEY_REUSED = strawberry.enum_value(
        "IDEMPOTENCY_KEY_REUSED",
        description="The idempotency key was used before for an upload with different content.",
    )
    INVALID_CODE = strawberry.enum_value("INVALID_CODE", description="The code of a port is not a UN/LOCODE.")
    INVALID_DATE = strawberry.enum_value(
        "INVALID_DATE", description="The text is not a valid date (YYYY-MM-DD) between 1970 and 2100."
    )
    INVALID_DATE_RANGE = strawberry.enum_value("INVALID_DATE_RANGE", description="The period ends before it begins.")
    INVALID_IDEMPOTENCY_KEY = strawberry.enum_value(
        "INVALID_IDEMPOTENCY_KEY", description="The idempotency key is empty, too long or not printable."
    )
    INVALID_JSON = strawberry.enum_value(
        "INVALID_JSON", description="The line of an NDJSON file is not one JSON object."
    )
    INVALID_NAME = strawberry.enum_value("INVALID_NAME", description="The name is empty, too long or not printable.")
    INVALID_PRICE = strawberry.enum_value("INVALID_PRICE", description="The price is not a finite decimal number.")
    INVALID_SLUG = strawberry.enum_value(
        "INVALID_SLUG", description="The slug of a region has invalid characters or is too long."
    )
    INVALID_TEXT = strawberry.enum_value("INVALID_TEXT", description="A text contains an unpaired surrogate.")
    LOCATION_CLASH = strawberry.enum_value("LOCATION_CLASH", description="A code is also a slug, or the reverse.")
    MISSING_VALUE = strawberry.enum_value("MISSING_VALUE", description="A field is absent, null or empty.")
    NOT_A_PORT = strawberry.enum_value("NOT_A_PORT", description="The location is a region where a port is required.")
    NO_EXCHANGE_RATE = strawberry.enum_value(
        "NO_EXCHANGE_RATE", description="The currency has no rate for one of the days."
    )
    PAYLOAD_GONE = strawberry.enum_value("PAYLOAD_GONE", description="The uploaded payload has expired.")
    PORT_ALIAS = strawberry.enum_value(
        "PORT_ALIAS",
        description="A warning: an alias of a port; the message gives the code. It is reported once for each alias of a batch.",
    )
    PRICE_OUT_OF_RANGE = strawberry.enum_value(
        "PRICE_OUT_OF_RANGE", description="The price is beyond ±10,000,000 US dollars."
    )
    REGION_CYCLE = strawberry.enum_value("REGION_CYCLE", description="The region would be below itself.")
    SAME_PORT = strawberry.enum_value("SAME_PORT", description="A warning: origin and destination are equal.")
    SHEET_CHOSEN = strawberry.enum_value(
        "SHEET_CHOSEN",
        description="A warning: the workbook has other sheets with values, which were not read; the message names them.",
    )
    TOO_MANY_ITEMS = strawberry.enum_value(
        "TOO_MANY_ITEMS", description="The upload, file or change contains too many items."
    )
    TREE_CHANGE_TOO_LARGE = strawberry.enum_value(
        "TREE_CHANGE_TOO_LARGE", description="The change would move too many lane-months of averages."
    )
    UNKNOWN_BATCH = strawberry.enum_value(
        "UNKNOWN_BATCH", description="There is no such batch, or it belongs to another caller."
    )
    UNKNOWN_CURRENCY = strawberry.enum_value(
        "UNKNOWN_CURRENCY", description="The currency has no exchange rate on any day."
    )
    UNKNOWN_FORMAT = strawberry.enum_value(
        "UNKNOWN_FORMAT", description="The content of the file is of a format that cannot be read, such as PDF."
    )
    UNKNOWN_LOCATION = strawberry.enum_value("UNKNOWN_LOCATION", description="No port or region has this key.")
    UNKNOWN_PARENT = strawberry.enum_value("UNKNOWN_PARENT", description="The parent is missing, unknown or a port.")
    UNKNOWN_PORT = strawberry.enum_value("UNKNOWN_PORT", description="No port has this code.")
    WRONG_COLUMNS = strawberry.enum_value(
        "WRONG_COLUMNS",
        description="The columns of the file, or the keys of an NDJSON line, fit no layout, or hold lists, bytes or durations.",
    )
    WRONG_ENCODING = strawberry.enum_value(
        "WRONG_ENCODING", description="The file, or a line of it, is not UTF-8, or contains NUL characters."
    )
    OTHER = strawberry.enum_value(
        "OTHER", description="A problem that this version of the server does not know; see its message."
    )

    @classmethod
    def of(cls, code: str) -> "ProblemCode":
        """Return the member of a code.

        A newer worker may have stored a code that this process does not know.
        """
        try:
            return cls(code)
        except ValueError:
            return cls.OTHER
