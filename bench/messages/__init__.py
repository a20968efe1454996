"""Benchmarks of the consumer of a message broker."""
