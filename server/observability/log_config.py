"""Log configuration: lines of the process and its libraries as JSON or for a terminal.

Modules log through the standard library's `logging`; only this module imports structlog. An exception may quote what a client
sent. Therefore its type and traceback are logged, and its message only on level `debug`. Passwords and tokens are redacted in
every line (`server.observability.redaction`).
"""

import logging
import logging.config
import os
import sys
import threading
import traceback
from collections.abc import Collection, Iterator, MutableMapping
from typing import Any

import orjson
import structlog

from server.config.settings import Settings
from server.observability.redaction import Redactor, find_secrets
from telemetry.request_record import current_record

Event = MutableMapping[str, Any]

PROJECT_LOGGER = "ratesgraph"
MAX_VALUE_LENGTH = 2_000
"""Characters. A library's message may quote what a client sent, at any length."""


class LogProcessors:
    """structlog processors that add the request ID, format exceptions and redact secrets.

    With `include_message` the messages of exceptions are logged too.
    """

    def __init__(self, redactor: Redactor, *, include_message: bool) -> None:
        self._redactor = redactor
        self._include_message = include_message

    def add_request(self, _logger: object, _method: str, event: Event) -> Event:
        """Add the IDs of the request in which the event occurred."""
        record = current_record.get()
        if record is not None:
            event.setdefault("request_id", record.request_id.decode())
            if record.trace_id:
                event.setdefault("trace_id", record.trace_id)
        return event

    def format_exception(self, _logger: object, _method: str, event: Event) -> Event:
        """Replace the exception by its type and traceback."""
        exc_info = event.pop("exc_info", None)
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        event.pop("stack_info", None)
        if isinstance(error, BaseException):
            event["exception"] = "".join(_format_chain(error, set(), include_message=self._include_message)).rstrip()
        if event.get("logger") == "asyncio" and not self._include_message:
            # The lines after the first show reprs of tasks and futures, including exception messages.
            event["event"] = str(event["event"]).partition("\n")[0]
        return event

    def redact(self, _logger: object, _method: str, event: Event) -> Event:
        """Redact secrets in every string of the event."""
        for name, value in event.items():
            if isinstance(value, str):
                is_short = name == "exception" or len(value) <= MAX_VALUE_LENGTH
                event[name] = self._redactor.redact(value if is_short else f"{value[:MAX_VALUE_LENGTH]}…")
        return event


def _format_chain(error: BaseException, seen: set[int], *, include_message: bool) -> Iterator[str]:
    """Yield the causes of an exception, its traceback and its type.

    Messages are included only with `include_message`.
    """
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _format_chain(cause, seen, include_message=include_message)
        yield "\nThe above exception led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    # PostgreSQL's error code (SQLSTATE) identifies the error and quotes no data.
    state = getattr(error, "sqlstate", None)
    message = f": {error}"[:MAX_VALUE_LENGTH] if include_message else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{f' (SQLSTATE {state})' if state else ''}{message}\n"
    for part in getattr(error, "exceptions", ()):
        if isinstance(part, BaseException) and id(part) not in seen:
            yield "\nOf which one is:\n\n"
            yield from _format_chain(part, seen, include_message=include_message)


def make_formatter(*, style: str, include_message: bool, secrets: Collection[str]) -> logging.Formatter:
    """Return a formatter that renders a record as one line of JSON, or for the console."""
    steps = LogProcessors(Redactor(secrets), include_message=include_message)
    console = structlog.dev.ConsoleRenderer(colors=style == "console" and sys.stderr.isatty(), pad_event_to=0)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            steps.add_request,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            steps.format_exception,
            steps.redact,
            console if style == "console" else structlog.processors.JSONRenderer(_encode),
        ],
    )


def _encode(event: Event, **_options: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def choose_style(setting: str) -> str:
    """Return the log style; `auto` is `console` on a terminal, otherwise `json`."""
    if setting != "auto":
        return setting
    return "console" if sys.stderr.isatty() else "json"


def configure(settings: Settings) -> dict[str, Any]:
    """Return the configuration for `logging.config`, in this process and in its child processes.

    Libraries log from `warning` upwards: below, they log URLs with query strings and WebSocket messages. Loggers that warn of
    malformed requests log from `error` upwards: the access log already has a line for every rejected request.
    """
    formatter = {
        "()": "server.observability.log_config.make_formatter",
        "style": choose_style(settings.log_format),
        "include_message": settings.log_level == "debug",
        "secrets": sorted(find_secrets(settings)),
    }
    level = settings.log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"project": formatter},
        "handlers": {"err": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "project"}},
        # Strawberry warns of every cross-site handshake and quotes text from that page. The client of RabbitMQ logs each failed
        # connection, which the consumer of the queue logs with its remedy.
        "loggers": {
            PROJECT_LOGGER: {"level": level},
            "strawberry.ws": {"level": "ERROR"},
            "aiormq": {"level": logging.CRITICAL},
            "aio_pika": {"level": logging.CRITICAL},
        },
        "root": {"level": level if level == "ERROR" else "WARNING", "handlers": ["err"]},
    }


def configure_logging(settings: Settings, *, auto: str | None = None) -> None:
    """Configure logging from the settings, including Python warnings and exceptions in threads.

    `auto` is the style to use if the setting is `auto`. Child processes inherit the style through the environment.
    """
    style = auto if auto and settings.log_format == "auto" else choose_style(settings.log_format)
    os.environ["RATESGRAPH_LOG_FORMAT"] = style
    logging.config.dictConfig(configure(settings.model_copy(update={"log_format": style})))
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_exception


def _log_thread_exception(arguments: threading.ExceptHookArgs) -> None:
    logging.getLogger(PROJECT_LOGGER).error("unhandled exception in thread", exc_info=arguments.exc_value)


def report_command_failure(message: str | None, error: BaseException) -> None:
    """Report a failed command on standard error; no message means an internal error."""
    is_configured = bool(logging.getLogger().handlers)
    if not is_configured:
        # The settings are invalid.
        configure_logging(Settings.model_construct(log_format=os.environ.get("RATESGRAPH_LOG_FORMAT", "console")))
    if message is None:
        logging.getLogger(PROJECT_LOGGER).critical("command failed: internal error", exc_info=error)
    elif os.environ["RATESGRAPH_LOG_FORMAT"] == "json":
        logging.getLogger(PROJECT_LOGGER).critical(message)
    else:
        sys.stderr.write(f"{message}\n")
