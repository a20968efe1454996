"""Settings that bound the cost of one query and of its response."""

from pydantic import Field
from pydantic_settings import BaseSettings


class QuerySettings(BaseSettings):
    """Part of `Settings` about the size of documents, queries and responses."""

    max_days: int = Field(default=3_660, ge=1, description="Maximum number of days in the range of one field")
    max_page_size: int = Field(default=500, ge=1, description="Maximum number of entries in one page of a connection")
    max_document_length: int = Field(default=50_000, ge=100, description="Maximum characters of a GraphQL document")
    max_tokens: int = Field(default=1_200, ge=10, description="Maximum number of tokens in a GraphQL document")
    max_depth: int = Field(default=20, ge=1, description="Maximum nesting depth of the fields of an operation")
    max_fields: int = Field(
        default=400,
        ge=1,
        description="Maximum number of fields and fragments in an operation, counted once per selection",
    )
    max_aliases: int = Field(
        default=60, ge=0, description="Maximum number of aliases in an operation, counted once per selection"
    )
    max_directives: int = Field(
        default=40, ge=0, description="Maximum number of directives in an operation, counted once per selection"
    )
    max_cost: int = Field(
        default=50_000,
        ge=1,
        description="Maximum cost of an operation: days of averages, page entries, and the levels between",
    )
    max_statistics_prices: int = Field(
        default=3_000_000,
        ge=1,
        description="Maximum number of daily prices that the statistics of one request read: lowest, highest, percentiles",
    )
    max_exact_prices: int = Field(
        default=20_000,
        ge=0,
        description="Maximum number of daily prices between two regions from which the statistics of a series are computed"
        " exactly; above, they are within 1.6 %",
    )
    max_errors: int = Field(default=50, ge=1, description="Maximum number of errors in one response")
    max_name_length: int = Field(default=128, ge=1, description="Maximum characters of an alias or other name")
    max_response_bytes: int = Field(default=32_000_000, ge=1_000, description="Maximum size of a response in bytes")
