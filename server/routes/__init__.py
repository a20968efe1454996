"""Routes other than `/graphql`: health checks, metrics, rejection reports."""
