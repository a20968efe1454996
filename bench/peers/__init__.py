"""Peers of the HTTP benchmarks: other servers with the same data, and a bare ASGI app."""
