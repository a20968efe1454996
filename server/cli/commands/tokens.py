"""`ratesgraph token`: who may call the server from outside."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.table import Table

from db.repositories import tokens
from db.repositories.tokens import ApiToken
from server.auth.api_tokens import create_token, parse_token_reference, revoke_token
from server.cli.console import CommandError, err, open_database, out, read_settings, run_with_connection

MAX_NAME_LENGTH = 200
MAX_DAYS = 36_500


def create(name: str, scopes: Sequence[str], expires: str, data_dir: Path | None) -> None:
    """Print a new token on standard output, alone, so that it can be piped to where it is kept."""
    name = name.strip()
    if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()):
        raise CommandError(f"--name must have 1 to {MAX_NAME_LENGTH} printable characters.")
    expires_at = parse_expiry(expires, datetime.now(UTC))
    with open_database(read_settings(data_dir=data_dir)) as url:
        token_id, token = run_with_connection(
            lambda connection: create_token(connection, name, scopes, expires_at), url
        )
    until = "and never expires" if expires_at is None else f"until {expires_at:%Y-%m-%d %H:%M} UTC"
    err.print(
        f"Token {token_id} of {name}: {', '.join(scopes)}, {until}. It is shown now and never again:",
        markup=False,
        soft_wrap=True,
    )
    out.print(token, markup=False, soft_wrap=True)


def parse_expiry(text: str, now: datetime) -> datetime | None:
    """Return when a token expires: after so many days (`90d`), when a day (`2027-01-31`, UTC) ends, or None for `never`.

    Raise CommandError for anything else, and for what is past.
    """
    text = text.strip().lower()
    if text == "never":
        return None
    try:
        if (days := re.fullmatch(r"(\d{1,5})d", text)) is not None and int(days[1]) <= MAX_DAYS:
            found = now + timedelta(days=int(days[1]))
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            found = datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        else:
            raise ValueError
    except (ValueError, OverflowError):
        raise CommandError("--expires is a number of days (90d), a day (2027-01-31) or never.") from None
    if found <= now:
        raise CommandError("--expires lies in the past.")
    return found


def list_all(data_dir: Path | None) -> None:
    """Print all tokens, without their secrets, which nobody knows."""
    with open_database(read_settings(data_dir=data_dir)) as url:
        found = run_with_connection(tokens.list_tokens, url)
    now = datetime.now(UTC)
    table = Table("id", "name", "scopes", "created", "expires", "last used", "state")
    for token in found:
        times = (token.created_at, token.expires_at, token.last_used_at)
        shown = ("" if time is None else f"{time:%Y-%m-%d %H:%M}" for time in times)
        table.add_row(token.id, token.name, " ".join(token.scopes), *shown, _state(token, now))
    out.print(table, markup=False)


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "valid"


def revoke(token: str, data_dir: Path | None) -> None:
    """Revoke the token with this id; running servers refuse it within a second."""
    token_id = parse_token_reference(token)
    if token_id is None:
        raise CommandError("A token is named by its id of 16 characters, as `ratesgraph token list` shows it.")
    with open_database(read_settings(data_dir=data_dir)) as url:
        name = run_with_connection(lambda connection: revoke_token(connection, token_id), url)
    if name is None:
        raise CommandError(f"There is no token {token_id} that could be revoked.")
    out.print(f"Token {token_id} of {name} is revoked.", markup=False, soft_wrap=True)
