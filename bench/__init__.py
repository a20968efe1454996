"""Repeatable measurements of what the design promises: `python -m bench [ingest|reads|uploads|billion] [--quick]`.

Each run starts a PostgreSQL of its own in a temporary folder and prints tables. A slow machine never fails it: figures
are for people to compare, those of one run among each other.
"""
