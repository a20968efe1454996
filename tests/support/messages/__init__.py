"""A message broker, and consumers of its queues as processes."""
