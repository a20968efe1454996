"""Errors of arguments and variables, in GraphQL notation."""
