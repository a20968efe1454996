"""Redaction of secrets in log lines: by shape, and by value for all secrets in settings."""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from pydantic import SecretStr

from server.config.database_url import split_read_urls
from server.config.settings import Settings

REDACTED = "[…]"
SHAPES = re.compile(
    r"rgt_[0-9a-f]{16}_[\w-]+"  # API tokens of this server
    r"|\beyJ[\w-]{5,}(?:\.[\w-]+)+"  # JWTs
    r"|(?<=[Bb]earer )[^\s\"',]+"
    r"|[^\s/:@\"'=]{1,100}:[^\s@\"']{1,400}(?=@)"  # user and password of a URL
    r"|(?i:(?<=password=)|(?<=passwd=)|(?<=secret=)|(?<=token=))(?:'[^']{0,400}'|[^\s\"'&,;]+)"
)
URL_PASSWORD = re.compile(r"://[^/@\s]*?:([^@\s]+)@")
"""Finds passwords that contain `/`, `?` or `#` unquoted, where `urlsplit` does not."""
CONNINFO_PASSWORD = re.compile(r"\b(?:ssl)?password\s*=\s*(?:'((?:[^'\\]|\\.)+)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*))")
"""Password in a libpq connection string, with its backslash escapes.

Example: `host=db password='…'`.
"""
USER = re.compile(r"(?<=://)[^/:@\s]+(?=:[^@\s]+@)|(?<=\buser=)[^\s&]+")
"""Names of users in a connection string."""
SECRET_PARAMETER = re.compile(
    r"(?:^|[_-])(?:key|code|auth|pass|sig)$|api_?key|app_?id|token|secret|passw|pwd|signature|credential", re.IGNORECASE
)
"""Names of query parameters that hold a secret.

Examples: `app_id`, `api-key`, `access_token`, `sslpassword`.
"""
MIN_SECRET = 4
"""Minimum length of a known secret. A shorter one would redact unrelated words."""


class Redactor:
    """Replaces secrets in text.

    Known values are found in any URL-quoted or escaped spelling, other secrets by their shape.
    """

    def __init__(self, known: Collection[str]) -> None:
        long = sorted({secret for secret in known if len(secret) >= MIN_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(_spelling_pattern(secret) for secret in long)) if long else None

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return SHAPES.sub(REDACTED, text)


def _spelling_pattern(secret: str) -> str:
    """Return a pattern for the secret whose special characters may be quoted or escaped."""
    return "".join(
        character if character.isascii() and character.isalnum() else f"(?:{'|'.join(_spellings(character))})"
        for character in secret
    )


def _spellings(character: str) -> Iterator[str]:
    """Yield patterns for the spellings of a special character.

    These are: escaped with a backslash, as it is, URL-quoted once or more often, and as in JSON and in the repr of bytes.
    """
    escaped, octets = re.escape(character), character.encode(errors="surrogatepass")
    if character in "\\'\"":
        yield rf"\\{escaped}"
    yield escaped
    yield f"(?i:{''.join(f'%(?:25)*{octet:02x}' for octet in octets)})"
    if character == " ":
        yield r"\+"
    if not character.isascii():
        yield rf"(?i:\\u{ord(character):04x})"
        yield "".join(rf"\\x{octet:02x}" for octet in octets)


SECRET_URLS = {"rate_limit_storage", "amqp_url", "cache_url"}
"""Secret settings that are URLs: only the password and secret parameters are redacted, not the host."""


def find_secrets(settings: Settings) -> set[str]:
    """Return the secrets in all settings, as they are written there and URL-decoded."""
    found: set[str] = set()
    for name, value in settings.__dict__.items():
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str):
            continue
        for url in split_read_urls(text) if name == "read_urls" else [text]:
            passwords = {*_find_conninfo_passwords(url), *(_find_url_secrets(url) if "://" in url else ())}
            # A password that equals the name of its user stays: without it, an error about the user would not name the user.
            found |= passwords - {*USER.findall(url)}
        if isinstance(value, SecretStr) and name not in SECRET_URLS:
            found.add(text)
    return {spelling for secret in found for spelling in (secret, unquote(secret), unquote_plus(secret))}


def _find_url_secrets(text: str) -> Iterator[str]:
    """Yield the password and the secret query parameters of a URL.

    The user name is a secret where an http(s) URL has no password: it is an access token then.
    """
    yield from URL_PASSWORD.findall(text)
    with suppress(ValueError):
        url = urlsplit(text)
        if url.password:
            yield url.password
        elif url.username and url.scheme in {"http", "https"}:
            yield url.username
        # Both the text between the separators and the decoded value: a value may hold a `+` or a `%`.
        for part in re.split("[&;]", url.query):
            name, _, value = part.partition("=")
            if SECRET_PARAMETER.search(unquote(name)):
                yield value
        for name, value in parse_qsl(url.query):
            if SECRET_PARAMETER.search(name):
                yield value


def _find_conninfo_passwords(text: str) -> Iterator[str]:
    for quoted, bare in CONNINFO_PASSWORD.findall(text):
        yield quoted or bare
        yield re.sub(r"\\(.)", r"\1", quoted or bare)
