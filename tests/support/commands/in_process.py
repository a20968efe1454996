"""The `ratesgraph` command inside the test process."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from server.cli.app import run
from server.cli.console import err, out
from tests.support.commands.processes import environment


def ratesgraph_in_process(
    database_url: str | None, *arguments: str | Path, exit_code: int = 0, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command like `ratesgraph`, but inside this process.

    It saves the start of an interpreter in tests of messages and results. Each command also has a test that runs it as a
    process.
    """
    argv = ["ratesgraph", *map(str, arguments)]
    variables = {**environment(database_url), **(settings or {})}
    with (
        _preserved_logging(),
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch.object(sys, "argv", argv),
        redirect_stdout(StringIO()) as stdout,
        redirect_stderr(StringIO()) as stderr,
    ):
        for console in (out, err):
            console.width = int(variables["COLUMNS"])
        try:
            run()
            code: object = 0
        except SystemExit as end:
            code = end.code or 0
    done = subprocess.CompletedProcess(argv, int(str(code)), stdout.getvalue(), stderr.getvalue())
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextmanager
def _preserved_logging() -> Iterator[None]:
    """Run the block without a log configuration, as a process starts.

    Restore the configuration of the tests afterwards.
    """
    root = logging.getLogger()
    handlers, hook = root.handlers[:], threading.excepthook
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, ("ratesgraph", "strawberry.ws")))}
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for logger, level in levels.items():
            logger.setLevel(level)
        logging.captureWarnings(capture=False)
        threading.excepthook = hook
