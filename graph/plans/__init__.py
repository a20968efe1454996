"""Fast path: plans of common operations, which bypass the GraphQL executor."""
