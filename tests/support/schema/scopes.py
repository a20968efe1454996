"""Scopes that the fields of the root types require."""

from graphql import GraphQLObjectType
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graph.authorization import SCOPE_METADATA_KEY
from graph.schema import schema
from resolvers.caller import AuthScope

PUBLIC = {"viewer"}
"""Root fields that every caller may select."""
ROOTS = ("Query", "Mutation", "Subscription")


READ = {
    "averagePrices",
    "benchmark",
    "coverage",
    "dataPeriod",
    "exchangeRates",
    "laneMatrix",
    "lanes",
    "location",
    "locations",
    "node",
    "nodes",
    "port",
    "priceSeries",
    "pricesChanged",
    "region",
}


UPLOAD = {"batch", "batchByKey", "batches", "batchProgress", "uploadPrices", "uploadPriceFile", "revertBatch"}


ADMIN = {"serverStatus", "upsertRegions", "upsertPorts", "moveLocation"}


def object_types() -> list[GraphQLObjectType]:
    """Return the object types of the schema."""
    return [type_ for type_ in schema._schema.type_map.values() if isinstance(type_, GraphQLObjectType)]


def declared_scopes() -> dict[str, AuthScope | None]:
    """Return the scope that each field of the root types declares."""
    return {
        name: field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].metadata.get(SCOPE_METADATA_KEY)
        for type_ in object_types()
        if type_.name in ROOTS
        for name, field in type_.fields.items()
    }
