"""The GraphQL schema: types, inputs, payloads, scalars, permissions, error masking. Fields of at most a few lines.

What a field means is in `resolvers`; this package only gives it its GraphQL shape and description.
"""
