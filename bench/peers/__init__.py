"""What Ratesgraph is measured beside, over HTTP: other servers with the same data, and the least that any server does."""
