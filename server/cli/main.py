"""Entry point of the `ratesgraph` command.

It imports next to nothing, because Ctrl-C during an import prints a traceback, or is swallowed by the module. Until a command
begins, Ctrl-C therefore ends the process at once, as it ends a program in C: nothing has been done yet.
"""

import signal
from importlib import import_module


def main() -> None:
    """Run the command line."""
    # Where the parent ignores SIGINT, as `nohup` and scripts do for background jobs, it stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_process)
    import_module("server.cli.app").run()


def raise_interrupts() -> None:
    """Raise KeyboardInterrupt on SIGINT, if until now it ended the process at once."""
    if signal.getsignal(signal.SIGINT) is _end_process:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_process(*_: object) -> None:
    """End the process by SIGINT.

    The default action in place of this handler would be lost: polars installs a handler of its own when it is imported, which
    calls a previous handler and otherwise ignores the signal.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
