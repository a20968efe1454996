"""Redaction: secret settings are removed from log lines in every quoted form."""

import json
import logging
import re
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from server.config.settings import Settings
from server.observability.log_config import configure, make_formatter
from server.observability.redaction import REDACTED, Redactor, find_secrets

PLAIN = "pl4in-secret"
SPECIAL = "p/a?s#s w:o+r@d%41&é'\"\\=x"
"""Contains every character that URLs, libpq or JSON escape."""

SETTINGS = {
    "database_url": "postgresql://ann:{}@db.example:5432/rates",
    "database_url with a parameter": "postgresql:///rates?host=db.example&user=ann&sslpassword={}&sslmode=require",
    "direct_url": "postgresql://ann:{}@db.example,other.example/rates?connect_timeout=5",
    "read_urls": "postgresql://ann@a.example/rates?connect_timeout=5, postgresql://ann:{}@b.example/rates",
    "read_urls with a parameter": "postgresql:///rates?host=a.example,host=b.example user=ann sslpassword='{}'",
    "rate_limit_storage": "redis://:{}@counts.example:6379/0",
    "rate_limit_storage of a cluster": "redis+cluster://ann:{}@a.example:1,b.example:2",
    "oidc_jwks_url": "https://ann:{}@issuer.example/jwks",
    "oidc_jwks_url with a token for a user": "https://{}@issuer.example/jwks",
    "oidc_jwks_url with a parameter": "https://issuer.example/jwks?tenant=one&access_token={}",
    "ecb_rates_url": "https://mirror.example/hist.zip?api-key={}&day=1",
    "ecb_rates_url with a password": "https://ann:{}@mirror.example/hist.zip",
    "openexchangerates_url": "https://mirror.example/api?app_id={}",
    "openexchangerates_url with a signature": "https://mirror.example/api?X-Amz-Signature={}",
    "openexchangerates_app_id": "{}",
    "metrics_token": "{}",
}
CONNINFO = {"database_url": "host=db user=ann password={} dbname=rates", "direct_url": "password = {} host=db"}
HIDDEN = {"rate_limit_storage", "openexchangerates_app_id", "metrics_token"}


def settings_with(name: str, value: str) -> Settings:
    """Return the default settings with one setting changed to the value, without validation."""
    field = name.partition(" ")[0]
    settings = Settings.model_construct(log_format="json")
    setattr(settings, field, SecretStr(value) if field in HIDDEN else value)
    return settings


def spellings(secret: str) -> set[str]:
    """Return the forms in which a library may quote the secret."""
    return {
        secret,
        re.sub("%..", lambda octet: octet[0].lower(), quote(secret, safe="")),
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="!$&'()*+,;=:"),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        quote(quote(secret, safe=""), safe=""),
    }


def log_line(settings: Settings, message: str) -> str:
    """Return the line that a process with these settings logs."""
    options = configure(settings)["formatters"]["project"]
    formatter = make_formatter(**{name: options[name] for name in ("style", "include_message", "secrets")})
    record = logging.LogRecord("ratesgraph.x", logging.ERROR, "", 1, "failed: %s", (message,), None)
    return str(json.loads(formatter.format(record))["event"])


@pytest.mark.parametrize("secret", [PLAIN, SPECIAL])
@pytest.mark.parametrize("name", SETTINGS)
def test_secret_of_a_setting_is_in_no_log_line(name: str, secret: str) -> None:
    is_url = "://" in SETTINGS[name]
    settings = settings_with(name, SETTINGS[name].format(quote(secret, safe="") if is_url else secret))
    for spelling in spellings(secret):
        assert log_line(settings, f"<<{spelling}>>") == f"failed: <<{REDACTED}>>", spelling


@pytest.mark.parametrize("name", CONNINFO)
@pytest.mark.parametrize(
    ("written", "secret"), [(PLAIN, PLAIN), (r"'it\'s \\ a'", r"it's \ a"), (r"it\'s-a", "it's-a")]
)
def test_password_of_a_connection_string_is_redacted(name: str, written: str, secret: str) -> None:
    redactor = Redactor(find_secrets(settings_with(name, CONNINFO[name].format(written))))
    for spelling in spellings(secret):
        assert redactor.redact(f"<<{spelling}>>") == f"<<{REDACTED}>>"


@pytest.mark.parametrize("secret", ["pa/ss/word", "pa#ssword", "pa?ssword", "100%sure"])
def test_password_that_is_not_quoted_in_its_url_is_redacted(secret: str) -> None:
    for name in ("database_url", "rate_limit_storage"):
        settings = settings_with(name, f"redis://ann:{secret}@counts.example/0")
        assert Redactor(find_secrets(settings)).redact(f"<<{secret}>>") == f"<<{REDACTED}>>"


@pytest.mark.parametrize("url", ["postgresql://prices:prices@db/rates", "host=db user=prices password=prices"])
def test_redaction_leaves_the_user_whose_password_is_the_same(url: str) -> None:
    settings = settings_with("database_url", url)
    message = "cannot be used as user prices: the role may not create tables"
    assert log_line(settings, message) == f"failed: {message}"
    assert "prices:prices" not in log_line(settings, url)
    assert "password=prices" not in log_line(settings, url)


def test_redaction_leaves_other_values_unchanged() -> None:
    settings = Settings.model_construct(
        database_url="postgresql://ratesgraph@db.example/rates?sslmode=require&application_name=ratesgraph",
        oidc_issuer="https://issuer.example",
        oidc_jwks_url="https://issuer.example/jwks?tenant=common",
        rate_limit_storage=SecretStr("redis://counts.example:6379/0"),
        cors_origins="https://a.example,https://b.example",
    )
    assert find_secrets(settings) == set()
    assert find_secrets(Settings.model_construct()) == set()


@pytest.mark.parametrize("name", ["metrics_token", "openexchangerates_app_id"])
def test_redaction_covers_a_token_that_looks_like_a_url(name: str) -> None:
    secret = "scheme://0123456789abcdef"  # noqa: S105
    settings = Settings.model_construct().model_copy(update={name: SecretStr(secret)})
    assert Redactor(find_secrets(settings)).redact(f"<<{secret}>>") == f"<<{REDACTED}>>"
