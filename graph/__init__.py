"""GraphQL schema: types, inputs, payloads, scalars, permissions and error masking.

The meaning of each field is implemented in `resolvers`. This package adds the GraphQL shape and the description, so a field
has at most a few lines.
"""
