"""Settings of the response cache and of its shared second level."""

from importlib import import_module
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

STORE_SCHEMES = ("redis", "rediss", "unix")


class CacheSettings(BaseSettings):
    """Part of `Settings` about cached responses."""

    cache_bytes: int = Field(
        default=64_000_000, ge=0, description="Size of the response cache per server process in bytes; 0 disables it"
    )
    cache_url: SecretStr | None = Field(
        default=None,
        description="Redis or Valkey for dear responses that several servers share, such as `redis://host:6379/0`",
    )

    @field_validator("cache_url")
    @classmethod
    def check_cache_url(cls, value: SecretStr | None) -> SecretStr | None:
        """Reject a URL of another kind of server, or one whose client package is not installed."""
        if value is None:
            return None
        if urlsplit(value.get_secret_value()).scheme not in STORE_SCHEMES:
            raise ValueError("the URL of the shared cache must begin with redis://, rediss:// or unix://")
        try:
            import_module("redis").Redis.from_url(value.get_secret_value())
        except Exception as error:
            # The message may quote the URL with its password.
            name = type(error).__name__
            raise ValueError(f"invalid URL of the shared cache or missing client package ({name})") from None
        return value
