"""Repeatable benchmarks of the performance targets.

Run `python -m bench [ingest|reads|uploads|http|billion] [--quick]`. Each run starts a separate PostgreSQL in a temporary folder
and prints tables. A slow machine never fails a run: compare only figures of the same run.
"""
