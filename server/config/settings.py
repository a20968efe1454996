"""Every setting, read from the environment. `tests/architecture` holds the README's table against this class."""

from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from server.config.network import is_loopback
from server.rate_limiting.shared_storage import open_shared_storage, parse_rate_limit

MAY_BE_EMPTY = {"rate_limit", "token_rate_limit"}


def _renamed(name: str, former_name: str) -> AliasChoices:
    """Return the names of a renamed setting: the present one wins, the former one is accepted for one version."""
    return AliasChoices(name, former_name)


class Settings(BaseSettings):
    """Settings of the server; each is an environment variable `RATESGRAPH_…`, but for `DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="RATESGRAPH_", extra="ignore")

    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL to use, as a libpq URL; without it the embedded server is started",
    )
    direct_url: str | None = Field(
        default=None,
        description="The same database past PgBouncer, for all that needs a session of its own: notifications, workers,"
        " commands, taking batches back, changing the tree and dry runs",
    )
    data_dir: Path = Field(default=Path(".ratesgraph"), description="Folder of the embedded server's data")
    profile: Literal["development", "production"] | None = Field(
        default=None,
        description="What the server tells of itself; without it development for the embedded server on a loopback address,"
        " otherwise production",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on; 0 takes any free one")
    workers: int = Field(default=1, ge=1, le=64, description="Server processes")
    pool_size: int = Field(default=10, ge=1, le=100, description="Database connections of a server process for reading")
    ingest_pool_size: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Database connections of a server process for taking batches back, changing the tree and dry runs",
    )
    max_days: int = Field(default=3_660, ge=1, description="Days that one `averagePrices` may span")
    max_items: int = Field(default=100_000, ge=1, description="Items that one `uploadPrices` may list")
    max_page_size: int = Field(default=500, ge=1, description="Entries of one page of a connection")
    max_document_length: int = Field(default=50_000, ge=100, description="Characters of a GraphQL document")
    max_tokens: int = Field(default=1_200, ge=10, description="Tokens of a GraphQL document")
    max_depth: int = Field(default=20, ge=1, description="How deeply the fields of an operation are nested")
    max_fields: int = Field(
        default=400, ge=1, description="Fields and fragments of an operation, each as often as it is selected"
    )
    max_aliases: int = Field(default=60, ge=0, description="Aliases of an operation, counted likewise")
    max_directives: int = Field(default=40, ge=0, description="Directives of an operation, counted likewise")
    max_cost: int = Field(
        default=50_000,
        ge=1,
        description="Cost of an operation: days of averages, entries of pages, and what lies between",
    )
    max_errors: int = Field(default=50, ge=1, description="Errors that one answer lists")
    max_query_bytes: int = Field(
        default=100_000, ge=1_000, description="Bytes that the body of a caller who may not upload may have"
    )
    max_body_bytes: int = Field(
        default=32_000_000, ge=1_000, description="Bytes that one request's body may have, files aside"
    )
    max_upload_bytes: int = Field(
        default=512_000_000, ge=1_000, description="Bytes that one multipart request, with its file, may have"
    )
    request_seconds: float = Field(
        default=20, gt=0, description="Seconds that a request may take to arrive, and one more for every 10,000 bytes"
    )
    rate_limit: str = Field(
        default="600/minute",
        description="How often one address may ask without a token, or fail with one; empty: as often as it likes",
    )
    token_rate_limit: str = Field(
        default="6000/minute",
        description="How often one caller with a token may ask, by the token's name; empty: as often as it likes",
    )
    rate_limit_storage: SecretStr | None = Field(
        default=None, description="Where servers on several machines count together, such as `redis://host:6379`"
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses and networks of proxies whose `X-Forwarded-For` is believed, separated by commas",
    )
    max_connections: int = Field(default=900, ge=1, description="Connections that a server process has open")
    max_streams: int = Field(
        default=500, ge=1, description="Event streams and WebSockets that a server process has open"
    )
    max_caller_streams: int = Field(
        default=100, ge=1, description="Event streams and WebSockets that one caller has open at a server process"
    )
    max_websocket_operations: int = Field(
        default=100,
        ge=1,
        validation_alias=_renamed("RATESGRAPH_MAX_WEBSOCKET_OPERATIONS", "RATESGRAPH_MAX_SOCKET_OPERATIONS"),
        description="Maximum number of concurrent operations on one WebSocket",
    )
    execution_seconds: float = Field(
        default=15, gt=0, le=3_600, description="Seconds that the execution of a query may take"
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
        default=None, description="Origins of other sites whose pages may ask, separated by blanks or commas; `*`: all"
    )
    cache_bytes: int = Field(
        default=64_000_000, ge=0, description="Bytes of answers that a server process keeps; 0 keeps none"
    )
    max_age: int = Field(
        default=0,
        ge=0,
        description="Seconds that browsers and proxies may reuse an answer to a GET without asking again",
    )
    documents_dir: Path | None = Field(
        default=None, description="Folder of registered documents (`*.graphql`), which requests name by `documentId`"
    )
    persisted_only: bool = Field(
        default=False,
        validation_alias=_renamed("RATESGRAPH_PERSISTED_ONLY", "RATESGRAPH_ONLY_REGISTERED"),
        description="Answer registered documents only",
    )
    payload_days: int = Field(
        default=7, ge=0, description="Days that a worker keeps what was uploaded after its batch has ended"
    )
    anonymous_reads: bool = Field(
        default=True,
        validation_alias=_renamed("RATESGRAPH_ANONYMOUS_READS", "RATESGRAPH_OPEN_READS"),
        description="Answer queries of prices and locations without a token",
    )
    oidc_issuer: str | None = Field(
        default=None, description="Issuer (`iss`) whose JWTs are taken as tokens; the next two belong to it"
    )
    oidc_audience: str | None = Field(default=None, description="Audience (`aud`) that its JWTs must be for")
    oidc_jwks_url: str | None = Field(default=None, description="Where its public keys are, as a JWK set; https")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="What is logged: `warning` faults and slow requests, `info` every request"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="How it is logged, on standard error; `auto` is `console` on a terminal, otherwise `json`",
    )
    slow_seconds: float = Field(default=1.0, gt=0, description="Seconds after which a request is slow")
    traces: bool = Field(
        default=False,
        description="Send traces to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names (OpenTelemetry)",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Token for reading `/metrics`, and nothing else, beside those of admins",
    )
    ecb_rates_url: str = Field(
        default="https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip",
        description="Where `ratesgraph rates refresh` reads the European Central Bank's history",
    )
    openexchangerates_app_id: SecretStr | None = Field(
        default=None,
        description="Key of openexchangerates.org, which then replaces the ECB in `ratesgraph rates refresh`",
    )
    openexchangerates_url: str = Field(
        default="https://openexchangerates.org/api", description="Where the API of openexchangerates.org is"
    )

    def writes_are_open(self, *, embedded: bool) -> bool:
        """Return whether callers may write without a token: on one's own machine only, and no setting opens it elsewhere."""
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
        """Read non-empty variables first, so that an empty one does not hide the former name of its setting."""
        return init_settings, EnvSettingsSource(settings_cls, env_ignore_empty=True), env_settings

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: dict[str, object]) -> dict[str, object]:
        """Take what is set to nothing, as files for containers do, for not set; an empty rate limit says that there is none."""
        return {name: value for name, value in values.items() if value != "" or name in MAY_BE_EMPTY}

    @field_validator("rate_limit", "token_rate_limit")
    @classmethod
    def check_rate_limit(cls, value: str) -> str:
        """Refuse what is no rate limit."""
        parse_rate_limit(value)
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def check_storage(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse a store that is not known, or whose client is not installed."""
        try:
            open_shared_storage(value)
        except Exception as error:
            # What the message holds of the address may be a password.
            raise ValueError(
                f"There is no such store, or its client is not installed ({type(error).__name__})."
            ) from None
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def check_proxies(cls, value: str | None) -> str | None:
        """Refuse what is neither an address nor a network: it would be trusted by nobody's intention, or not at all."""
        for part in filter(None, (value or "").split(",")):
            ip_network(part.strip(), strict=True)
        return value

    @model_validator(mode="after")
    def check_direct_url(self) -> Self:
        """Refuse a way past a pooler where there is none: it would lead to another database."""
        if self.direct_url is not None and self.database_url is None:
            raise ValueError("RATESGRAPH_DIRECT_URL is the same database as DATABASE_URL: set that too.")
        return self

    @model_validator(mode="after")
    def check_issuer(self) -> Self:
        """Refuse an issuer that is only half known, or whose keys anybody on the way could exchange."""
        given = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url)
        if any(given) and not all(given):
            raise ValueError(
                "RATESGRAPH_OIDC_ISSUER, _OIDC_AUDIENCE and _OIDC_JWKS_URL belong together: set all or none."
            )
        url = urlsplit(self.oidc_jwks_url or "https:")
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
            raise ValueError("RATESGRAPH_OIDC_JWKS_URL must begin with https://.")
        return self


def environment_names(field: str) -> list[str]:
    """Return the environment variables that a field of `Settings` is read from, the present name first."""
    match Settings.model_fields[field].validation_alias:
        case AliasChoices(choices=choices):
            return [str(choice) for choice in choices]
        case None:
            return [f"RATESGRAPH_{field.upper()}"]
        case alias:
            return [str(alias)]


def find_former_names(environment: Iterable[str]) -> dict[str, str]:
    """Return the former names of settings that are used as environment variables, each with its present name."""
    present = {name.upper() for name in environment}
    return {
        former: name
        for name, *former_names in map(environment_names, Settings.model_fields)
        for former in former_names
        if former in present
    }
