"""Private and undocumented parts of libraries that the product uses.

A library may change such a part in any release. So `pyproject.toml` bounds each of these libraries, and
`tests/architecture/dependencies/test_private_apis.py` checks every part.
"""

from tests.support.code.library_parts import Owner, Part
from tests.support.code.uvicorn_apis import UVICORN

WEBSOCKET, ADAPTER, VIEW = (
    "server/graphql_api/websocket_handler.py",
    "server/graphql_api/websocket_adapter.py",
    "server/graphql_api/websocket_view.py",
)
SSE, SCHEMA, STREAMING = (
    "server/graphql_api/sse.py",
    "graph/execution/executable_schema.py",
    "graph/execution/streaming.py",
)
COLUMNS, DOCUMENTS = "graph/execution/column_completion.py", "graph/execution/document_cache.py"
ENUMS = "graph/types/enums.py"
PIPELINE, METRICS = "db/pipeline.py", "server/observability/metrics.py"

TRANSPORT_WS = "strawberry.subscriptions.protocols.graphql_transport_ws.handlers"
RULES = "strawberry.schema.validation_rules"
EXECUTE = "query variable_values context_value root_value operation_name"

OWNERS = [
    *UVICORN,
    Owner(
        "strawberry-graphql",
        "strawberry.schema.schema:Schema",
        SCHEMA,
        ("_schema",),
        {
            "execute": f"{EXECUTE} allowed_operation_types operation_extensions",
            "process_errors": "errors execution_context",
        },
    ),
    Owner("strawberry-graphql", "strawberry.execution", SCHEMA, (), {"optimized_is_awaitable": "value"}),
    Owner(
        "strawberry-graphql",
        "strawberry.schema.schema:Schema",
        STREAMING,
        ("_schema",),
        {"stream": f"{EXECUTE} operation_extensions allowed_operation_types"},
    ),
    Owner("strawberry-graphql", "strawberry.types.info:Info", "graph/query.py", ("_raw_info",)),
    Owner("strawberry-graphql", "strawberry.types.enum:StrawberryEnumDefinition", ENUMS, ("values",)),
    Owner("strawberry-graphql", "strawberry.types.enum:EnumValue", ENUMS, ("description", "name")),
    Owner(
        "strawberry-graphql",
        "strawberry.schema.schema_converter:GraphQLCoreConverter",
        "graph/authorization.py",
        ("DEFINITION_BACKREF",),
    ),
    Owner("strawberry-graphql", f"{RULES}.maybe_null", DOCUMENTS, ("MaybeNullValidationRule",)),
    Owner("strawberry-graphql", f"{RULES}.one_of", DOCUMENTS, ("OneOfInputValidationRule",)),
    Owner(
        "strawberry-graphql",
        "strawberry.schema.name_converter:NameConverter",
        "graph/schema.py",
        (),
        {"apply_naming_config": "name"},
    ),
    Owner(
        "strawberry-graphql",
        f"{TRANSPORT_WS}:BaseGraphQLTransportWSHandler",
        WEBSOCKET,
        (
            "connection_acknowledged",
            "connection_init_received",
            "context",
            "max_subscriptions_per_connection",
            "operations",
            "websocket",
        ),
        {
            "_get_pre_execution_close_reason": "error",
            "handle": "",
            "handle_connection_init": "message",
            "handle_invalid_message": "error_message",
            "handle_message": "message",
            "handle_ping": "message",
            "handle_subscribe": "message",
            "handle_task_exception": "error",
            "run_operation": "operation",
            "send_message": "message",
            "shutdown": "",
        },
    ),
    Owner(
        "strawberry-graphql",
        "strawberry.asgi:ASGIWebSocketAdapter",
        ADAPTER,
        ("ws",),
        {"iter_json": "ignore_parsing_errors", "send_json": "message", "close": "code reason"},
    ),
    Owner(
        "strawberry-graphql",
        "strawberry.asgi:GraphQL",
        VIEW,
        ("graphql_transport_ws_handler_class", "websocket_adapter_class"),
        {"decode_json": "data", "get_context": "request response"},
    ),
    Owner(
        "strawberry-graphql",
        "strawberry.http.streaming:SSETransport",
        SSE,
        ("headers", "heartbeat_interval", "send_initial_heartbeat"),
        {"encode_complete": "", "encode_next": "response encode_json", "heartbeat_message": "encode_json"},
    ),
    Owner(
        "strawberry-graphql",
        "strawberry.http.streaming",
        SSE,
        (),
        {"merge_stream_with_heartbeat": "stream heartbeat_message interval send_initial_heartbeat"},
    ),
    Owner("strawberry-graphql", "strawberry.http", SSE, (), {"process_result": "result"}),
    Owner(
        "graphql-core",
        "strawberry.schema.schema:StrawberryGraphQLCoreExecutionContext",
        COLUMNS,
        ("async_helpers",),
        {
            "collect_subfields": "return_type field_details_list",
            "complete_list_value": "return_type field_details_list info path result position_context",
            "gather_async_work": "values",
            "track_async_work": "values",
        },
    ),
    Owner("graphql-core", "graphql:GraphQLResolveInfoHelpers", COLUMNS, ("gather", "track")),
    Owner("psycopg", "psycopg:AsyncConnection", PIPELINE, ("lock", "pgconn"), {"wait": "gen interval timeout"}),
    Owner("psycopg", "psycopg.generators", PIPELINE, (), {"fetch_many": "pgconn", "send": "pgconn"}),
    Owner(
        "psycopg",
        "psycopg.adapt:Transformer",
        PIPELINE,
        (),
        {"load_rows": "row0 row1 make_row", "set_pgresult": "result set_loaders format"},
    ),
    Owner(
        "psycopg",
        "psycopg.pq:PGconn",
        PIPELINE,
        ("enter_pipeline_mode", "exit_pipeline_mode", "pipeline_sync", "send_prepare", "send_query_prepared"),
    ),
    Owner(
        "yoyo-migrations",
        "yoyo.backends.core.postgresql:PostgresqlPsycopgBackend",
        "db/migrate.py",
        (),
        {"connect": "dburi", "init_database": "", "break_lock": ""},
    ),
    Owner("yoyo-migrations", "yoyo.migrations", "db/migrate.py", ("default_migration_table",)),
    Owner("prometheus-client", "prometheus_client.multiprocess", METRICS, (), {"mark_process_dead": "pid path"}),
    Owner(
        "starlette",
        "starlette.formparsers:MultiPartParser",
        "server/http/multipart.py",
        ("_current_part",),
        {"on_end": "", "on_headers_finished": "", "parse": ""},
    ),
    Owner(
        "starlette",
        "starlette.middleware.cors:CORSMiddleware",
        "server/http/csrf.py",
        (),
        {"preflight_response": "request_headers"},
    ),
    Owner("starlette", "starlette.responses:StreamingResponse", SSE, (), {"stream_response": "send"}),
    Owner("starlette", "starlette.applications:Starlette", "server/app.py", (), {"build_middleware_stack": ""}),
]

PARTS = [Part(owner, name) for owner in OWNERS for name in owner.attributes] + [
    Part(owner, name, tuple(parameters.split())) for owner in OWNERS for name, parameters in owner.methods.items()
]
