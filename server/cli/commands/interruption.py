"""Messages of commands that Ctrl-C interrupts: what is kept, and what to do next."""

from collections.abc import Mapping

AGAIN = "run the command again to continue."
UNCHANGED = "Nothing was changed."
KEPT = {
    "database.archive.archive": f"The months that were moved so far stay archived; {AGAIN}",
    "database.archive.delete_archived": f"The months that were deleted so far stay deleted; {AGAIN}",
    "database.maintenance.compact": f"What was compacted so far is kept; {AGAIN}",
    "database.maintenance.distribute": f"Tables stay as they are now; {AGAIN}",
    "database.maintenance.migrate": f"The migrations applied so far are kept; {AGAIN}",
    "database.maintenance.verify": "Nothing was changed; the next run begins again.",
    "locations.load": UNCHANGED,
    "prices.load": f"The files applied so far are kept; {AGAIN}",
    "rates.refresh": UNCHANGED,
    "series.download": "Nothing was written.",
}
"""Message of each command about the state after an interruption, by `module.function`."""
REPAIRED = f"The months repaired so far are kept; {AGAIN}"
SILENT = {"serve.serve", "worker.worker", "worker.consume", "database.maintenance.prepare"}
"""Commands that Ctrl-C ends as intended, and the part of `serve` that runs as a process of its own."""


def describe_interruption(command: str, arguments: Mapping[str, object]) -> str | None:
    """Return the message for a command that was interrupted with these arguments.

    Return None for a command that Ctrl-C ends as intended.
    """
    if command in SILENT:
        return None
    if arguments.get("dry_run"):
        kept = UNCHANGED
    elif arguments.get("repair"):
        kept = REPAIRED
    elif command == "database.sample.sample":
        is_url = "://" in str(arguments["to"])
        kept = "For the next attempt, create an empty database." if is_url else "No folder was left behind."
    else:
        kept = KEPT.get(command, "")
    return f"Interrupted. {kept}".rstrip()
