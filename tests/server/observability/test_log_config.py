"""Log lines: redaction of secrets and omission of messages."""

import json
import logging
import time

import pytest

from server.observability.log_config import make_formatter
from server.observability.redaction import Redactor


def test_log_formatter_omits_or_redacts_exception_messages() -> None:
    exceptions = {}
    for include_message in (False, True):
        formatter = make_formatter(style="json", include_message=include_message, secrets=["s3cret-of-ours"])
        try:
            raise KeyError("some words, s3cret-of-ours, password=s3cret and rgt_0123456789abcdef_" + "x" * 43)
        except KeyError as error:
            record = logging.LogRecord(
                "ratesgraph.x", logging.ERROR, "", 1, "it failed", (), (KeyError, error, error.__traceback__)
            )
        exceptions[include_message] = json.loads(formatter.format(record))["exception"]
    assert exceptions[False].endswith("builtins.KeyError")
    assert exceptions[True].endswith("builtins.KeyError: 'some words, […], password=[…] and […]'")


def test_log_formatter_omits_object_representations_from_asyncio_messages() -> None:
    formatter = make_formatter(style="json", include_message=False, secrets=[])
    message = "Task exception was never retrieved\nfuture: <Task finished exception=RuntimeError('hunter2')>"
    line = json.loads(formatter.format(logging.LogRecord("asyncio", logging.ERROR, "", 1, message, (), None)))
    assert line["event"] == "Task exception was never retrieved"
    assert "hunter2" not in repr(line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ann:pa/ss@db/x", "[…]@db/x"),
        ("ann:pass@db, host=db password='a b' user=ann", "[…]@db, host=db password=[…] user=ann"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer […]"),
        ("eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl", "[…]"),
        ("at 12:30 in file.py:12 <Task name='Task-1'>", "at 12:30 in file.py:12 <Task name='Task-1'>"),
    ],
)
def test_log_redaction_recognizes_secrets_by_their_format(text: str, expected: str) -> None:
    assert Redactor([]).redact(text) == expected


@pytest.mark.parametrize("part", ["a:b", "a:b/", "a=a:", "password='", "eyJa-"])
def test_log_redaction_of_long_hostile_messages_is_fast_and_shortens_them(part: str) -> None:
    formatter = make_formatter(style="json", include_message=True, secrets=[])
    message = "Origin: " + part * (60_000 // len(part))
    began = time.thread_time()
    line = formatter.format(logging.LogRecord("strawberry.ws", logging.WARNING, "", 1, message, (), None))
    assert time.thread_time() - began < 0.1
    assert len(line) < 5_000
