"""Uploads of prices: batches, stored payloads, files, dry runs."""
