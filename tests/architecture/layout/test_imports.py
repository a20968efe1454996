"""Guard of imports: their directions between packages, and the users of each library.

The directions are server → graph → resolvers → db and server → ingest → db. An import in the opposite direction
indicates code in the wrong package.
"""

import ast
import subprocess
import sys

import pytest

from tests.support.code.source import PRODUCT, imported, modules

ALLOWED_IMPORTS = {
    "server": {"server", "graph", "resolvers", "ingest", "db", "telemetry", "domain"},
    "graph": {"graph", "resolvers", "telemetry", "domain"},
    "resolvers": {"resolvers", "db", "telemetry", "domain"},
    "ingest": {"ingest", "db", "telemetry", "domain"},
    "db": {"db", "telemetry", "domain"},
    "telemetry": {"telemetry"},
    "domain": {"domain"},
}
LIBRARIES = {
    "psycopg": {"db"},
    "psycopg_pool": {"db"},
    "yoyo": {"db"},
    "psutil": {"db"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "strawberry": {
        "graph",
        "server/http/csrf.py",
        "server/graphql_api/sse.py",
        "server/graphql_api/websocket_adapter.py",
        "server/graphql_api/websocket_view.py",
        "server/graphql_api/websocket_handler.py",
    },
    "strawberry.dataloader": {"resolvers/loading/request_loaders.py"},
    "graphql": {"graph"},
    "httpx": {"ingest", "server/cli/api_client.py", "server/auth/oidc.py"},
    "tenacity": {"server/cli/api_client.py", "db/migrate.py"},
    "jwt": {"server/auth/oidc.py"},
    "limits": {"server/rate_limiting/shared_storage.py", "server/rate_limiting/fixed_window.py"},
    "structlog": {"server/observability/log_config.py"},
    "opentelemetry": {"server/observability/tracing.py"},
    "prometheus_client": {
        "server/observability/batched_histogram.py",
        "server/observability/metrics.py",
        "server/routes/metrics.py",
    },
    "polars": {"ingest", "server/downloads/series_files.py"},
    "numpy": {
        "ingest",
        "db/sketches",
        "resolvers/analysis/order_statistics.py",
        "resolvers/analysis/price_statistics.py",
        "resolvers/analysis/sketched_prices.py",
    },
    "python_calamine": {"ingest/readers/excel"},
    "aio_pika": {"server/amqp"},
}


def lies_in(name: str, parents: set[str], separator: str) -> bool:
    """Return whether the name is one of the parents or below one of them."""
    return any(f"{name}{separator}".startswith(f"{parent}{separator}") for parent in parents)


def test_imports_between_packages_follow_the_allowed_directions() -> None:
    against = [
        (path, name)
        for package in PRODUCT
        for path, tree in modules(package)
        for name in imported(tree)
        if name.split(".")[0] in {*PRODUCT, "tests", "bench"} and not lies_in(name, ALLOWED_IMPORTS[package], ".")
    ]
    assert not against


def test_imports_of_libraries_are_limited_to_their_packages_and_modules() -> None:
    forbidden = []
    for path, tree in modules(*PRODUCT):
        for name in imported(tree):
            allowed = [LIBRARIES[library] for library in LIBRARIES if lies_in(name, {library}, ".")]
            if allowed and not any(lies_in(path, prefixes, "/") for prefixes in allowed):
                forbidden.append((path, name))
    assert not forbidden


@pytest.mark.parametrize("package", ["domain", "telemetry"])
def test_imports_of_domain_and_telemetry_are_limited_to_the_standard_library(package: str) -> None:
    names = {name.split(".")[0] for _, tree in modules(package) for name in imported(tree)}
    assert names <= sys.stdlib_module_names | {package}


def test_imports_stand_at_the_top_of_their_modules() -> None:
    inside = {
        (path, name)
        for path, tree in modules(*PRODUCT, "tests", "bench")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in imported(function)
    }
    assert not inside


def test_imports_of_the_server_load_no_numpy_polars_httpx_or_jwt() -> None:
    # They need 40 MB in each server process. `server.ingest_adapter` imports them on demand.
    modules = "server.app, server.cli.commands.serve"
    code = f"import sys, {modules}; print(sorted({{'numpy', 'polars', 'httpx', 'jwt'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
