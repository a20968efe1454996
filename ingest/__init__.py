"""Ingest engine: processes batches from bytes to rows; loads tree and rates; compacts.

The arithmetic is done here for a whole batch at once, outside the database: polars handles text, numpy numbers. The database
receives finished rows only. Nothing here depends on GraphQL or on the HTTP server.
"""
