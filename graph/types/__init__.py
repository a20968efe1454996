"""GraphQL types, inputs, payloads and scalars: one module per noun."""
