"""`ratesgraph token`: creates, lists and revokes API tokens."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.table import Column, Table

from db.repositories import tokens
from db.repositories.tokens import ApiToken
from domain.paths import printable
from server.auth.token_management import create_token, parse_token_reference, revoke_token
from server.cli.console import (
    CommandError,
    err,
    open_database,
    print_line,
    print_table,
    read_settings,
    run_with_connection,
)

ID_LENGTH, DAY_LENGTH, SCOPE_LENGTH = 16, len("YYYY-MM-DD"), len("upload")
MAX_NAME_LENGTH = 200
MAX_DAYS = 36_500


def create(name: str, scopes: Sequence[str], expires: str, data_dir: Path | None) -> None:
    """Create a token and print it alone on standard output, ready to pipe to a secret store."""
    name = name.strip()
    if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()):
        raise CommandError(
            f"--name must have 1 to {MAX_NAME_LENGTH} printable characters (got {len(name)} characters)."
        )
    expires_at = parse_expiry(expires, datetime.now(UTC))
    with open_database(read_settings(data_dir=data_dir)) as url:
        token_id, token = run_with_connection(
            lambda connection: create_token(connection, name, scopes, expires_at), url
        )
    until = "and never expires" if expires_at is None else f"until {expires_at:%Y-%m-%d %H:%M} UTC"
    err.print(
        f"Token {token_id} of {name}: {', '.join(scopes)}, {until}. Copy it now; it cannot be shown again:",
        markup=False,
        soft_wrap=True,
    )
    print_line(token)


def parse_expiry(text: str, now: datetime) -> datetime | None:
    """Return when a token expires, or None for `never`.

    The text is a number of days (`90d`) or a day (`2027-01-31`) at whose end, in UTC, the token expires. Raise CommandError
    for any other text and for a time in the past.
    """
    text = text.strip().lower()
    if text == "never":
        return None
    try:
        if (days := re.fullmatch(r"(\d{1,5})d", text)) is not None and int(days[1]) <= MAX_DAYS:
            expires_at = now + timedelta(days=int(days[1]))
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            expires_at = datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        else:
            raise ValueError
    except (ValueError, OverflowError):
        raise CommandError(
            f"--expires must be a number of days (90d), a day (2027-01-31) or never (got {printable(text)})."
        ) from None
    if expires_at <= now:
        raise CommandError(f"--expires {text} is in the past; give a later day, a number of days (90d) or never.")
    return expires_at


def list_all(data_dir: Path | None) -> None:
    """Print all tokens as a table, without their secrets, of which only hashes are stored."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        all_tokens = run_with_connection(tokens.list_tokens, url)
    times = (Column(header, min_width=DAY_LENGTH) for header in ("created", "expires", "last used"))
    table = Table(
        Column("id", no_wrap=True, min_width=ID_LENGTH),
        Column("name", overflow="fold"),
        Column("scopes", min_width=SCOPE_LENGTH),
        *times,
        Column("state", no_wrap=True),
        # Without lines, the table fits into 80 columns.
        box=None,
        pad_edge=False,
    )
    for token in all_tokens:
        shown = (
            "" if time is None else f"{time:%Y-%m-%d %H:%M}"
            for time in (token.created_at, token.expires_at, token.last_used_at)
        )
        table.add_row(token.id, token.name, " ".join(token.scopes), *shown, _state(token))
    print_table(table)


def _state(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.seconds_left is not None and token.seconds_left <= 0 else "valid"


def revoke(token: str, data_dir: Path | None) -> None:
    """Revoke the token with this ID; running servers reject it within a second."""
    token_id = parse_token_reference(token)
    if token_id is None:
        # The argument is not shown: it may be a token.
        raise CommandError(
            f"Expected a 16-character token ID (got {len(token)} characters); `ratesgraph token list` shows the IDs."
        )
    with open_database(read_settings(data_dir=data_dir)) as url:
        name = run_with_connection(lambda connection: revoke_token(connection, token_id), url)
    if name is None:
        raise CommandError(f"No active token {token_id}; `ratesgraph token list` shows all tokens.")
    print_line(f"Revoked token {token_id} of {name}.")
