"""The server process: uvicorn protocol, accept balancing, graceful shutdown, supervision."""
