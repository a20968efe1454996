"""Consumer of a RabbitMQ queue, which merges small messages into batches."""
