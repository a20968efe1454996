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
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_module("server.cli.app").run()
