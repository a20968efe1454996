"""Routes beside `/graphql`: health checks, metrics, rejection reports."""
