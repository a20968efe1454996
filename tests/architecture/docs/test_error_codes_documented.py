"""Guard of the error-code reference: every code of the product once, in order.

A code is a string literal in capitals. Other words in capitals are listed here, and must occur in the product as
well.
"""

import ast
import re

from graph.types.enums import ProblemCode
from server.config.setting_names import OTHER_NAMES, environment_names
from server.config.settings import Settings
from tests.support.code.source import PRODUCT, ROOT, modules

LITERAL = re.compile(r"[A-Z]+(_[A-Z0-9]+)*")
MIN_LENGTH = 4
ROW = re.compile(r"^\| `([A-Z_]+)` \|[^|]*\| ([^|]+) \|", re.MULTILINE)
DATA_PLACES = {"userErrors", "item", "file", "tree"}
"""Places where a code is the value of a field, and therefore a member of the enum `ProblemCode`."""
ENUM_MODULE = "graph/types/enums.py"
"""Lists the members of `ProblemCode`: a code that occurs nowhere else is not in use."""
STATUSES = {"QUEUED", "RUNNING", "APPLIED", "REJECTED", "FAILED", "REVERTED"}
OTHER_ENUM_VALUES = {"ERROR", "WARNING", "PORT", "REGION", "REJECT_BATCH", "SKIP_INVALID"}
DOWNLOAD_FORMATS = {"ARROW", "PARQUET"}
INTERVALS = {"WEEK", "MONTH", "QUARTER", "YEAR"}
NULL_REASONS = {"NO_PRICES", "BELOW_MINIMUM_SAMPLE"}
"""The third reason is also the code of a problem."""
HTTP_WORDS = {"POST", "HEAD", "DENY"}
POLARS = {"POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "POLARS_IMPORT_INTERVAL_AS_STRUCT", "POLARS_MAX_THREADS"}
AWS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
}
LIBPQ = {"LANG", "LC_ALL", "PATH", "PGCONNECT_TIMEOUT"}
ENVIRONMENT = {"OTEL_SERVICE_NAME", "PROMETHEUS_MULTIPROC_DIR", *OTHER_NAMES} | POLARS | LIBPQ | AWS
FILES = {"PG_VERSION"}
COMMAND_WORDS = {"CALLER", "FILE", "NAME"}
DATABASE_WORDS = {"JDBC", "SELECT"}
ENUM_VALUES = STATUSES | OTHER_ENUM_VALUES | DOWNLOAD_FORMATS | INTERVALS | NULL_REASONS
OTHER_WORDS = ENUM_VALUES | HTTP_WORDS | ENVIRONMENT | FILES | COMMAND_WORDS | DATABASE_WORDS


def literals() -> set[str]:
    """Return the string literals in capitals of all product modules, without names of settings."""
    found = {
        node.value
        for path, tree in modules(*PRODUCT)
        if path != ENUM_MODULE
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    settings = {name for field in Settings.model_fields for name in environment_names(field)}
    return {text for text in found if len(text) >= MIN_LENGTH and LITERAL.fullmatch(text)} - settings


def rows() -> list[tuple[str, set[str]]]:
    """Return each code of the reference with the places where it appears."""
    text = (ROOT / "docs/reference/error-codes.md").read_text(encoding="utf-8")
    return [(code, set(places.split(", "))) for code, places in ROW.findall(text)]


def test_error_codes_are_all_documented_once_in_order() -> None:
    assert [code for code, _ in rows()] == sorted(literals() - OTHER_WORDS)


def test_error_codes_that_are_data_are_the_members_of_their_enum() -> None:
    members = [code.value for code in ProblemCode if code is not ProblemCode.OTHER]
    assert members == [code for code, places in rows() if places & DATA_PLACES]


def test_error_codes_exemptions_all_occur_in_the_product() -> None:
    assert literals() >= OTHER_WORDS
