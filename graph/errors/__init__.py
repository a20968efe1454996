"""Errors of arguments and variables, in the terms of GraphQL."""
