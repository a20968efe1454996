"""What each field means, without GraphQL or SQL in it: averages, locations, batches.

Functions take the request's context and return values of `domain.batches`. What a caller did wrong is a RequestError.
"""
