"""Rules of migrations that servers of the previous release survive.

Expand, migrate, contract: a release adds what it needs, and a later release removes what no server uses any more. A migration
must not block reads or writes for longer than a moment, so it neither rewrites nor scans a table that exists already.
"""

import re
from collections.abc import Collection, Iterator

import sqlparse

NOT_TRANSACTIONAL = re.compile(r"^-- transactional: *false *$", re.MULTILINE)
CONTRACT = re.compile(r"^-- contract: .{10,}$", re.MULTILINE)
"""Comment of a migration that removes something: what no longer uses it, and since which release."""
NEW_TABLE = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)", re.IGNORECASE)
TABLE = re.compile(
    r"(?:ALTER TABLE|UPDATE|DELETE FROM|TRUNCATE|LOCK TABLE|LOCK|CLUSTER|VACUUM FULL|REINDEX TABLE)"
    r" (?:IF EXISTS )?(?:ONLY )?(\w+)"
    r"|CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(?:\w+ )?ON (?:ONLY )?(\w+)",
    re.IGNORECASE,
)
ADDED_COLUMN = re.compile(
    r"\bADD (?:COLUMN (?:IF NOT EXISTS )?|(?!CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE))", re.IGNORECASE
)
CONSTANT = re.compile(
    r"\bDEFAULT (?:now\(\)|current_(?:date|timestamp)|'(?:[^']|'')*'(?:::\w+(?:\[\])?)?|[\w.]+(?![\w.(]))",
    re.IGNORECASE,
)
"""A default that PostgreSQL stores once, in the catalog. A volatile function would rewrite the table."""
FORBIDDEN: dict[str, str] = {
    r"^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)": "an index on an existing table must be created CONCURRENTLY",
    r"^(?:UPDATE|DELETE)\b": "a change of rows locks them until the end: do it in batches outside of the migration",
    r"^(?:TRUNCATE|LOCK|CLUSTER|VACUUM FULL|REINDEX TABLE (?!CONCURRENTLY))": "it locks the whole table",
    r"\bALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE\b": "a change of the type rewrites the table: add a column instead",
    r"\bSET NOT NULL\b": "it scans the table: add a CHECK … NOT VALID and validate it in a later migration",
    r"\bSET (?:LOGGED|UNLOGGED|TABLESPACE|ACCESS METHOD)\b": "it rewrites the table",
    r"\bADD CONSTRAINT \w+ (?:CHECK|FOREIGN KEY)(?!.*\bNOT VALID\b)": "a constraint must be added NOT VALID",
    r"\bADD CONSTRAINT \w+ (?:UNIQUE|PRIMARY KEY)(?! USING INDEX)": "a unique constraint must be added USING INDEX",
    r"\bADD CONSTRAINT \w+ EXCLUDE\b": "an exclusion constraint scans the table",
    r"\bADD (?:CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b": "a constraint must have a name",
}
REMOVALS: dict[str, str] = {
    r"^DROP (?:TABLE|VIEW|FUNCTION|TYPE|SEQUENCE)\b": "old servers may still use it",
    r"^ALTER TABLE .*\bDROP (?:COLUMN\b|(?!CONSTRAINT|DEFAULT|NOT NULL|IDENTITY|EXPRESSION)\w)": "old servers may use it",
    r"^ALTER .*\bRENAME\b": "old servers know the old name",
    r"^ALTER .*\bDROP DEFAULT\b": "old servers may insert rows without the column",
}
"""Statements of the last step, contract. They need a comment `-- contract: …` that says why no server needs it any more."""


def find_violations(text: str, existing: Collection[str]) -> list[str]:
    """Return what a migration does that would stop, or break, servers of the previous release.

    `existing` are the tables of earlier migrations: in tables that the migration itself creates, everything is allowed.
    """
    is_contract, is_transactional = bool(CONTRACT.search(text)), not NOT_TRANSACTIONAL.search(text)
    statements = list(_read_statements(text))
    new = {match[1].lower() for statement in statements for match in NEW_TABLE.finditer(statement)}
    found = []
    for statement in statements:
        if not is_contract:
            found += [
                _report(statement, why) for form, why in REMOVALS.items() if re.search(form, statement, re.IGNORECASE)
            ]
        table = TABLE.match(statement)
        if table and (table[1] or table[2]).lower() in set(existing) - new:
            found += [
                _report(statement, why) for form, why in FORBIDDEN.items() if re.search(form, statement, re.IGNORECASE)
            ]
            found += [_report(statement, why) for why in _find_column_faults(statement)]
    if any("VALIDATE CONSTRAINT" in one for one in statements) and any("NOT VALID" in one for one in statements):
        found.append(
            "a constraint must be validated in a later migration, because the lock of its addition lasts to the end"
        )
    return [*found, *_find_transaction_faults(statements, is_transactional=is_transactional)]


def _read_statements(text: str) -> Iterator[str]:
    """Yield the statements on one line each, without comments."""
    # Whole lines of comments first: a comment before a statement would belong to it.
    for statement in sqlparse.split(re.sub(r"^ *--.*$", "", text, flags=re.MULTILINE)):
        # Rows are inserted by the thousand, and no rule is about them.
        if not statement.startswith("INSERT"):
            line = " ".join(sqlparse.format(statement, strip_comments=True).split()).rstrip(";")
            if line:
                yield line


def _report(statement: str, why: str) -> str:
    return f"{statement[:80]}: {why}"


def _find_column_faults(statement: str) -> Iterator[str]:
    """Yield what is wrong with the columns that a statement adds."""
    for column in ADDED_COLUMN.split(statement)[1:]:
        if re.search(r"\bGENERATED\b|\b(?:big|small)?serial\b", column, re.IGNORECASE):
            yield "a generated column rewrites the table"
        if re.search(r"\b(?:PRIMARY KEY|UNIQUE|REFERENCES|CHECK)\b", column, re.IGNORECASE):
            yield "a column must be added without a constraint, and the constraint NOT VALID after it"
        has_default = re.search(r"\bDEFAULT\b", column, re.IGNORECASE)
        if has_default and not CONSTANT.search(column):
            yield "the default of a new column must be a constant"
        if re.search(r"\bNOT NULL\b", column, re.IGNORECASE) and not has_default:
            yield "old servers insert rows without the new column: give it a default, or let it be null"


def _find_transaction_faults(statements: list[str], *, is_transactional: bool) -> list[str]:
    """Return what is wrong with the transaction of a migration.

    A statement without one is repeated after a failure, which leaves an invalid index behind.
    """
    concurrent = [statement for statement in statements if "CONCURRENTLY" in statement.upper()]
    if is_transactional:
        return [_report(statement, "it needs `-- transactional: false`") for statement in concurrent]
    timeouts = [one for one in statements if re.match(r"SET (lock|statement)_timeout\b", one, re.IGNORECASE)]
    if len(concurrent) + len(timeouts) < len(statements):
        return ["a migration without a transaction must contain statements with CONCURRENTLY only"]
    if not re.match(r"SET lock_timeout = 0$", statements[0], re.IGNORECASE):
        # Such a statement blocks no other, and it must wait for the end of all transactions that are older.
        return ["a migration without a transaction must begin with `SET lock_timeout = 0`"]
    dropped = _find_names(r"DROP INDEX CONCURRENTLY IF EXISTS (\w+)$", statements)
    created = _find_names(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(\w+)", statements)
    return [f"{name}: first DROP INDEX CONCURRENTLY IF EXISTS, for a repetition" for name in sorted(created - dropped)]


def _find_names(form: str, statements: list[str]) -> set[str]:
    """Return the names in the statements that begin with the form."""
    return {match[1] for one in statements if (match := re.match(form, one, re.IGNORECASE))}
