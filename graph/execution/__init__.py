"""Execution of GraphQL operations: document cache, limits, authorization, fast path, errors."""
