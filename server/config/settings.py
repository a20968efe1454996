"""Settings from environment variables.

A test in `tests/architecture` compares their documentation with this class.
"""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from server.config.cache_settings import CacheSettings
from server.config.database_url import DatabaseUrl, ReadUrls, split_read_urls
from server.config.message_settings import MessageSettings
from server.config.network import is_loopback, parse_networks
from server.config.query_settings import QuerySettings
from server.config.upload_settings import UploadSettings
from server.rate_limiting.shared_storage import create_shared_storage, parse_rate_limit

MAY_BE_EMPTY = {"rate_limit", "token_rate_limit"}


def _renamed(name: str, former_name: str) -> AliasChoices:
    """Return both names of a renamed setting. The former one is accepted for one version."""
    return AliasChoices(name, former_name)


class Settings(QuerySettings, UploadSettings, MessageSettings, CacheSettings):
    """Server settings, read from the variables `RATESGRAPH_…` and `DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="RATESGRAPH_", extra="ignore")

    database_url: DatabaseUrl | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL to use, as a libpq URL; if unset, the embedded server is started",
    )
    direct_url: DatabaseUrl | None = Field(
        default=None,
        description="The same database without PgBouncer, for work that needs its own session: notifications, workers,"
        " commands, batch reverts, changes of the location tree and dry runs",
    )
    read_urls: ReadUrls | None = Field(
        default=None,
        description="Read replicas of DATABASE_URL, as libpq URLs separated by commas; they answer queries of prices and"
        " locations while they have the current data",
    )
    replica_lag: float = Field(
        default=5,
        gt=0,
        le=3_600,
        description="Seconds after which a read replica that has yet to replay a change counts as lagging: it is polled once"
        " a second instead of every few milliseconds",
    )
    citus_direct_reads: bool = Field(
        default=False,
        description="Read lanes at the workers of a Citus cluster that store them, at the addresses in pg_dist_node, instead of"
        " through the coordinator",
    )
    data_dir: Path = Field(default=Path(".ratesgraph"), description="Data folder of the embedded server")
    min_free_bytes: int = Field(
        default=500_000_000,
        ge=0,
        description="Free bytes that uploads must leave on the disk of the embedded server; 0: no reserve",
    )
    profile: Literal["development", "production"] | None = Field(
        default=None,
        description="Deployment profile; if unset, development for the embedded server on a loopback address, otherwise"
        " production",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on; 0 chooses a free port")
    workers: int = Field(default=1, ge=1, le=64, description="Number of server processes")
    pool_size: int = Field(default=10, ge=1, le=100, description="Database connections per server process for reading")
    ingest_pool_size: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Database connections per server process for batch reverts, tree changes and dry runs",
    )
    max_query_bytes: int = Field(
        default=100_000, ge=1_000, description="Maximum request body in bytes for callers without the upload scope"
    )
    max_body_bytes: int = Field(default=32_000_000, ge=1_000, description="Maximum request body without files in bytes")
    max_upload_bytes: int = Field(
        default=512_000_000, ge=1_000, description="Maximum size of a multipart request in bytes, with its file"
    )
    request_seconds: float = Field(
        default=20, gt=0, description="Seconds for a request to arrive, plus one second per 10,000 bytes"
    )
    rate_limit: str = Field(
        default="600/minute",
        description="Requests per client address without a token, and failed authentications; empty: no limit",
    )
    token_rate_limit: str = Field(
        default="6000/minute",
        description="Requests per caller with a token, by the token's name; empty: no limit",
    )
    rate_limit_storage: SecretStr | None = Field(
        default=None, description="Storage for shared rate limits of several machines, such as `redis://host:6379`"
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses and networks of proxies whose `X-Forwarded-For` is trusted, separated by commas",
    )
    max_connections: int = Field(default=900, ge=1, description="Maximum number of open connections per server process")
    max_address_connections: int = Field(
        default=300, ge=1, description="Maximum number of open connections per client address and server process"
    )
    max_unread_bytes: int = Field(
        default=256_000_000,
        ge=1_000_000,
        description="Bytes of responses that clients have yet to read, per server process; above it the slowest readers are"
        " disconnected",
    )
    stall_seconds: float = Field(
        default=30, gt=0, description="Seconds after which a client that does not read its response is disconnected"
    )
    max_streams: int = Field(
        default=500, ge=1, description="Maximum number of open event streams and WebSockets per server process"
    )
    max_caller_streams: int = Field(
        default=100,
        ge=1,
        description="Maximum number of open event streams and WebSockets per caller and server process",
    )
    max_websocket_operations: int = Field(
        default=100,
        ge=1,
        validation_alias=_renamed("RATESGRAPH_MAX_WEBSOCKET_OPERATIONS", "RATESGRAPH_MAX_SOCKET_OPERATIONS"),
        description="Maximum number of concurrent operations on one WebSocket",
    )
    execution_seconds: float = Field(
        default=15, gt=0, le=3_600, description="Timeout of the execution of a query in seconds"
    )
    database_wait_seconds: float = Field(
        default=8,
        ge=0,
        le=60,
        validation_alias=_renamed("RATESGRAPH_DATABASE_WAIT_SECONDS", "RATESGRAPH_OUTAGE_SECONDS"),
        description="Seconds that requests wait during a database outage before they fail with 503",
    )
    drain_seconds: float = Field(
        default=1.5,
        ge=0,
        le=60,
        validation_alias=_renamed("RATESGRAPH_DRAIN_SECONDS", "RATESGRAPH_LINGER_SECONDS"),
        description="Seconds that a stopping server still answers requests, closing each connection after its response",
    )
    cors_origins: str | None = Field(
        default=None, description="Origins whose pages may send requests, separated by spaces or commas; `*`: all"
    )
    cors_headers: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~, -]+$",
        description="Further request headers that these pages may send, separated by spaces or commas; `*`: all",
    )
    max_age: int = Field(
        default=0,
        ge=0,
        description="Seconds that browsers and proxies may reuse the response to a GET without revalidation",
    )
    documents_dir: Path | None = Field(
        default=None, description="Folder of registered documents (`*.graphql`, manifests in JSON), or one manifest"
    )
    persisted_only: bool = Field(
        default=False,
        validation_alias=_renamed("RATESGRAPH_PERSISTED_ONLY", "RATESGRAPH_ONLY_REGISTERED"),
        description="Answer registered documents only",
    )
    payload_days: int = Field(
        default=7, ge=0, description="Days that uploaded payloads are stored after their batch has ended"
    )
    anonymous_reads: bool = Field(
        default=True,
        validation_alias=_renamed("RATESGRAPH_ANONYMOUS_READS", "RATESGRAPH_OPEN_READS"),
        description="Answer queries of prices and locations without a token",
    )
    oidc_issuer: str | None = Field(
        default=None, description="Issuer (`iss`) whose JWTs are accepted as tokens; requires the next two settings"
    )
    oidc_audience: str | None = Field(default=None, description="Required audience (`aud`) of the JWTs")
    oidc_jwks_url: str | None = Field(default=None, description="URL of the issuer's public keys, as a JWK set; https")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="Log level: `warning` logs failures and slow requests, `info` every request"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="Log format on standard error; `auto` is `console` on a terminal, otherwise `json`",
    )
    slow_seconds: float = Field(default=1.0, gt=0, description="Seconds after which a request is logged as slow")
    traces: bool = Field(
        default=False,
        description="Send OpenTelemetry traces to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Token that can only read `/metrics`; admin tokens can read it too",
    )
    ecb_rates_url: str = Field(
        default="https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip",
        description="URL of the European Central Bank's rate history for `ratesgraph rates refresh`",
    )
    openexchangerates_app_id: SecretStr | None = Field(
        default=None,
        description="API key of openexchangerates.org, which then replaces the ECB in `ratesgraph rates refresh`",
    )
    openexchangerates_url: str = Field(
        default="https://openexchangerates.org/api", description="Base URL of the API of openexchangerates.org"
    )

    def replica_urls(self) -> list[str]:
        """Return the URLs of the read replicas."""
        return split_read_urls(self.read_urls or "")

    def writes_are_open(self, *, embedded: bool) -> bool:
        """Return whether local callers may write without a token.

        This holds for an embedded server on a loopback address only. No setting enables it elsewhere.
        """
        return embedded and is_loopback(self.host)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read non-empty variables first, so that an empty one does not hide a former name."""
        return init_settings, EnvSettingsSource(settings_cls, env_ignore_empty=True), env_settings

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: dict[str, object]) -> dict[str, object]:
        """Treat empty variables as unset, because container env files often define them empty.

        An empty rate limit disables the limit.
        """
        return {name: value for name, value in values.items() if value != "" or name in MAY_BE_EMPTY}

    @field_validator("rate_limit", "token_rate_limit")
    @classmethod
    def check_rate_limit(cls, value: str) -> str:
        """Reject an invalid rate limit."""
        parse_rate_limit(value)
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def check_storage(cls, value: SecretStr | None) -> SecretStr | None:
        """Reject an unknown storage, or one whose client package is not installed."""
        try:
            create_shared_storage(value)
        except Exception as error:
            # The message may quote the URI with its password.
            raise ValueError(f"unknown rate-limit storage or missing client package ({type(error).__name__})") from None
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def check_proxies(cls, value: str | None) -> str | None:
        """Reject values that are neither an address nor a network, such as `*` or `10.0.0`.

        uvicorn trusts every client for `*`, and ignores a name that it cannot parse.
        """
        parse_networks(value)
        return value

    @model_validator(mode="after")
    def check_direct_url(self) -> Self:
        """Reject the settings of another server than the embedded one without DATABASE_URL.

        They would name another database.
        """
        if self.direct_url is not None and self.database_url is None:
            raise ValueError("RATESGRAPH_DIRECT_URL requires DATABASE_URL: both name the same database")
        if self.read_urls and self.database_url is None:
            raise ValueError("RATESGRAPH_READ_URLS requires DATABASE_URL: the database that the replicas follow")
        if self.citus_direct_reads and self.database_url is None:
            raise ValueError("RATESGRAPH_CITUS_DIRECT_READS requires DATABASE_URL: the coordinator of the cluster")
        return self

    @model_validator(mode="after")
    def check_issuer(self) -> Self:
        """Reject an incomplete OIDC configuration, and keys over unencrypted http."""
        values = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url)
        if any(values) and not all(values):
            raise ValueError(
                "RATESGRAPH_OIDC_ISSUER, _OIDC_AUDIENCE and _OIDC_JWKS_URL belong together: set all or none"
            )
        url = urlsplit(self.oidc_jwks_url or "https:")
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
            raise ValueError("RATESGRAPH_OIDC_JWKS_URL must begin with https://")
        return self
