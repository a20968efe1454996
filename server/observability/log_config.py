"""Every line that the process logs, its own and those of its libraries, as JSON or for a reader at a terminal.

Modules log through the standard library's `logging`, and only this one knows structlog. What goes wrong may quote what somebody
has sent: so of an exception its type and its traceback are told, and its words only on the level `debug`. Whatever is told,
passwords and tokens are blacked out, by their shapes and, where the settings hold them, by themselves.
"""

import logging
import logging.config
import os
import re
import sys
import threading
import traceback
from collections.abc import Collection, Iterator, MutableMapping
from typing import Any
from urllib.parse import unquote

import orjson
import structlog

from server.config.settings import Settings
from telemetry.request_record import current_record

Event = MutableMapping[str, Any]

PROJECT_FILES = "ratesgraph"
REDACTED = "[…]"
SHAPES = re.compile(
    r"rgt_[0-9a-f]{16}_[\w-]+"  # our tokens
    r"|\beyJ[\w-]{5,}(?:\.[\w-]+)+"  # JWTs
    r"|(?<=[Bb]earer )[^\s\"',]+"
    r"|[^\s/:@\"'=]{1,100}:[^\s@\"']{1,400}(?=@)"  # user and password of a URL
    r"|(?i:(?<=password=)|(?<=passwd=)|(?<=secret=)|(?<=token=))(?:'[^']{0,400}'|[^\s\"'&,;]+)"
)
PASSWORD = re.compile(r"://[^/@\s]*?:(?P<url>[^@\s]+)@|\bpassword\s*=\s*(?:'(?P<quoted>[^']+)'|(?P<bare>\S+))")
MAX_VALUE_LENGTH = 2_000
"""What a library tells may quote what a stranger has sent, at any length."""
MIN_SECRET = 4
"""A shorter password would black out words that have nothing to do with it."""


class Redactor:
    """Replaces secrets in texts. `known` are secrets themselves."""

    def __init__(self, known: Collection[str]) -> None:
        long = sorted({secret for secret in known if len(secret) >= MIN_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long))) if long else None

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return SHAPES.sub(REDACTED, text)


class LogProcessors:
    """Turns a record into an event that can be told. `with_words`: the words of exceptions are told too."""

    def __init__(self, blackener: Redactor, *, with_words: bool) -> None:
        self._redactor = blackener
        self._include_message = with_words

    def add_request(self, _logger: object, _method: str, event: Event) -> Event:
        """Say in which request something happened."""
        notes = current_record.get()
        if notes is not None:
            event.setdefault("request_id", notes.request_id.decode())
            if notes.trace_id:
                event.setdefault("trace_id", notes.trace_id)
        return event

    def format_exception(self, _logger: object, _method: str, event: Event) -> Event:
        """Say what was raised, and where."""
        found = event.pop("exc_info", None)
        error = found[1] if isinstance(found, tuple) else found
        event.pop("stack_info", None)
        if isinstance(error, BaseException):
            event["exception"] = "".join(_format_chain(error, set(), include_message=self._include_message)).rstrip()
        if event.get("logger") == "asyncio" and not self._include_message:
            # What follows its first line shows the objects that were at work, exceptions with their words among them.
            event["event"] = str(event["event"]).partition("\n")[0]
        return event

    def redact(self, _logger: object, _method: str, event: Event) -> Event:
        """Black out secrets, wherever they stand."""
        for name, value in event.items():
            if isinstance(value, str):
                told = (
                    value if name == "exception" or len(value) <= MAX_VALUE_LENGTH else f"{value[:MAX_VALUE_LENGTH]}…"
                )
                event[name] = self._redactor.redact(told)
        return event


def _format_chain(error: BaseException, lines: set[int], *, include_message: bool) -> Iterator[str]:
    """Yield what led to an exception, its traceback, and its name, with its words only where these are wanted."""
    lines.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in lines:
        yield from _format_chain(cause, lines, include_message=include_message)
        yield "\nWhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    # PostgreSQL's own name for what went wrong tells much and quotes nothing.
    state = getattr(error, "sqlstate", None)
    words = f": {error}"[:MAX_VALUE_LENGTH] if include_message else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{f' (SQLSTATE {state})' if state else ''}{words}\n"
    for part in getattr(error, "exceptions", ()):
        if isinstance(part, BaseException) and id(part) not in lines:
            yield "\nOf which one is:\n\n"
            yield from _format_chain(part, lines, include_message=include_message)


def find_secrets(settings: Settings) -> set[str]:
    """Return the secrets in the settings, as they stand there and as they are meant."""
    found = {match[match.lastgroup] for match in PASSWORD.finditer(settings.database_url or "") if match.lastgroup}
    for secret in (settings.openexchangerates_app_id, settings.metrics_token):
        if secret is not None:
            found.add(secret.get_secret_value())
    return found | {unquote(secret) for secret in found}


def make_formatter(*, style: str, with_words: bool, secrets: Collection[str]) -> logging.Formatter:
    """Return what writes a record as one line of JSON, or for a reader."""
    steps = LogProcessors(Redactor(secrets), with_words=with_words)
    for_readers = structlog.dev.ConsoleRenderer(colors=style == "console" and sys.stderr.isatty(), pad_event_to=0)
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
            for_readers if style == "console" else structlog.processors.JSONRenderer(_encode),
        ],
    )


def _encode(event: Event, **_options: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def choose_style(setting: str) -> str:
    """Return `json` or `console`: the latter where standard error is a terminal, unless one was set."""
    if setting != "auto":
        return setting
    return "console" if sys.stderr.isatty() else "json"


def configure(settings: Settings) -> dict[str, Any]:
    """Return the configuration of logging, for `logging.config` here and in processes that are started.

    Libraries are heard from `warning` on: below, they tell addresses with their queries, and what goes over a WebSocket. What
    warns of whatever a stranger sends is heard from `error` on: we tell of a refusal ourselves, as of any request.
    """
    formatter = {
        "()": "server.observability.log_config.make_formatter",
        "style": choose_style(settings.log_format),
        "with_words": settings.log_level == "debug",
        "secrets": sorted(find_secrets(settings)),
    }
    level = settings.log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"ours": formatter},
        "handlers": {"err": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "ours"}},
        # Strawberry warns of every handshake of a foreign page, in the words of that page.
        "loggers": {PROJECT_FILES: {"level": level}, "strawberry.ws": {"level": "ERROR"}},
        "root": {"level": level if level == "ERROR" else "WARNING", "handlers": ["err"]},
    }


def configure_logging(settings: Settings, *, auto: str | None = None) -> None:
    """Log in the way of the settings from now on; warnings and faults of threads too. Processes that are started follow.

    `auto` says which way that is where the settings leave it open.
    """
    style = auto if auto and settings.log_format == "auto" else choose_style(settings.log_format)
    os.environ["RATESGRAPH_LOG_FORMAT"] = style
    logging.config.dictConfig(configure(settings.model_copy(update={"log_format": style})))
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_exception


def _log_thread_exception(arguments: threading.ExceptHookArgs) -> None:
    logging.getLogger(PROJECT_FILES).error("a thread has failed", exc_info=arguments.exc_value)


def report_command_failure(message: str | None, error: BaseException) -> None:
    """Tell on standard error why the command has failed: in words where there are some, or as a fault of ours."""
    has_begun = bool(logging.getLogger().handlers)
    if not has_begun:
        # Not even the settings could be read.
        configure_logging(Settings.model_construct(log_format=os.environ.get("RATESGRAPH_LOG_FORMAT", "console")))
    if message is None:
        logging.getLogger(PROJECT_FILES).critical("the command has failed: a fault of ours", exc_info=error)
    elif os.environ["RATESGRAPH_LOG_FORMAT"] == "json":
        logging.getLogger(PROJECT_FILES).critical(message)
    else:
        sys.stderr.write(f"{message}\n")
