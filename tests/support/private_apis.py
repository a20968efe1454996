"""Private and undocumented parts of libraries that the product uses.

A library may change such a part in any release. So `pyproject.toml` bounds each of these libraries, and
`tests/architecture/dependencies/test_private_apis.py` checks every part.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Owner:
    """Module, class or function (`module:name`) of a library whose parts the product uses.

    `methods` maps each method to its parameters without `self`; the empty name is the owner itself.
    """

    library: str
    path: str
    needed_by: str
    attributes: tuple[str, ...] = ()
    methods: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a library: an attribute, or a callable with its parameters."""

    owner: Owner
    name: str
    parameters: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """Return the library, the part and the file that needs it."""
        return f"{self.owner.library}: {self.owner.path} {self.name} for {self.owner.needed_by}"


HTTP, SUPERVISOR = "server/runtime/http_protocol.py", "server/runtime/supervisor.py"
SHUTDOWN, SERVE = "server/runtime/graceful_shutdown.py", "server/cli/commands/serve.py"
WEBSOCKET, VIEW = "server/graphql_api/websocket_handler.py", "server/graphql_api/websocket_view.py"
SSE, SCHEMA, STREAMING = (
    "server/graphql_api/sse.py",
    "graph/execution/executable_schema.py",
    "graph/execution/streaming.py",
)
COLUMNS, DOCUMENTS = "graph/execution/column_completion.py", "graph/execution/document_cache.py"
PIPELINE, METRICS = "db/pipeline.py", "server/observability/metrics.py"

HTTPTOOLS = "uvicorn.protocols.http.httptools_impl"
TRANSPORT_WS = "strawberry.subscriptions.protocols.graphql_transport_ws.handlers"
RULES = "strawberry.schema.validation_rules"
EXECUTE = "query variable_values context_value root_value operation_name"

OWNERS = [
    Owner(
        "uvicorn",
        f"{HTTPTOOLS}:HttpToolsProtocol",
        HTTP,
        ("app_state", "connections", "cycle", "flow", "headers", "loop", "parser", "server_state", "transport", "url"),
        {
            "connection_made": "transport",
            "connection_lost": "exc",
            "_should_upgrade": "",
            "_unset_keepalive_if_required": "",
            "data_received": "data",
            "handle_websocket_upgrade": "",
            "on_message_begin": "",
            "on_headers_complete": "",
            "on_body": "body",
            "on_message_complete": "",
            "send_400_response": "msg",
            "shutdown": "",
        },
    ),
    Owner(
        "uvicorn",
        f"{HTTPTOOLS}:RequestResponseCycle",
        HTTP,
        ("keep_alive", "more_body", "response_complete", "response_started", "scope"),
    ),
    Owner("uvicorn", "uvicorn.protocols.http.flow_control", HTTP, ("HIGH_WATER_LIMIT",)),
    Owner("uvicorn", "uvicorn.protocols.http.flow_control:FlowControl", HTTP, ("read_paused",)),
    Owner("uvicorn", "uvicorn.server:ServerState", HTTP, ("default_headers",)),
    Owner(
        "uvicorn",
        "uvicorn.protocols.websockets.websockets_sansio_impl:WebSocketsSansIOProtocol",
        HTTP,
        ("close_sent", "handshake_complete", "handshake_initiated"),
        {"send": "message"},
    ),
    Owner(
        "uvicorn",
        "uvicorn.server:Server",
        SHUTDOWN,
        ("lifespan", "server_state", "servers", "should_exit"),
        {"startup": "sockets", "shutdown": "sockets", "handle_exit": "sig frame"},
    ),
    Owner("uvicorn", "uvicorn.server:ServerState", SHUTDOWN, ("connections",)),
    Owner("uvicorn", "uvicorn.lifespan.on:LifespanOn", SHUTDOWN, ("state",)),
    Owner("uvicorn", "uvicorn.server:Server", SERVE, ("started", "should_exit"), {"startup": "sockets"}),
    Owner("uvicorn", "uvicorn.config:Config", SERVE, ("backlog",)),
    Owner("uvicorn", "uvicorn.config", SUPERVISOR, ("STARTUP_FAILURE",)),
    Owner(
        "uvicorn",
        "uvicorn.supervisors.multiprocess:Process",
        SUPERVISOR,
        ("_server", "config", "exitcode", "pid", "process", "server"),
        {
            "__init__": "config sockets",
            "is_alive": "timeout",
            "is_ready": "timeout",
            "join": "",
            "kill": "",
            "start": "",
            "terminate": "",
        },
    ),
    Owner(
        "uvicorn",
        "uvicorn.supervisors.multiprocess:Multiprocess",
        SUPERVISOR,
        ("config", "processes", "processes_num", "should_exit", "signal_queue", "sockets"),
        {
            "__init__": "config sockets",
            "init_processes": "",
            "join_all": "",
            "keep_subprocess_alive": "",
            "restart_all": "",
        },
    ),
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
    Owner(
        "strawberry-graphql",
        "strawberry.schema.schema_converter:GraphQLCoreConverter",
        "graph/execution/authorization.py",
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
            "handle": "",
            "handle_connection_init": "message",
            "handle_invalid_message": "error_message",
            "handle_message": "message",
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
        WEBSOCKET,
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
