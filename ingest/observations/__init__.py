"""Observations as columns, and the streams of COPY."""
