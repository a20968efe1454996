"""Tests of the consumer of a message broker."""
