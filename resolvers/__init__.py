"""Meaning of each GraphQL field without GraphQL or SQL: averages, locations, batches, rates.

Functions accept the request's context and return values of `domain`. An error of the client is a RequestError.
"""
