"""Synthetic data of the benchmarks, and the temporary PostgreSQL that holds it."""
