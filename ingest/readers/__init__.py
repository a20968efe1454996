"""Readers of price files: CSV, NDJSON and Parquet as slices of bounded size."""
