"""Uploads of prices: batches, stored payloads, files and dry runs."""
