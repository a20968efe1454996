"""The ASGI application, its settings, and the `ratesgraph` command.

The only package that knows starlette and uvicorn.
"""
