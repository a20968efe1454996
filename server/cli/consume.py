"""Options of `ratesgraph consume`."""

from typing import Annotated

import typer

from server.cli.options import DataDir, parse_owner, parse_queue, run_command


def consume(
    queue: Annotated[str, typer.Option(parser=parse_queue, metavar="NAME", help="Queue to consume.")],
    url: Annotated[
        str | None,
        typer.Argument(metavar="URL", show_default=False, help="URL of RabbitMQ (default: RATESGRAPH_AMQP_URL)."),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            parser=parse_owner,
            metavar="CALLER",
            help="Caller that sees the batches, such as token:feed (default: admins).",
        ),
    ] = None,
    max_items: Annotated[
        int, typer.Option(help="Maximum number of items of a merged batch.", min=1, max=100_000)
    ] = 1_000,
    max_seconds: Annotated[
        float, typer.Option(help="Maximum seconds that a message waits for others.", min=0.0, max=60.0)
    ] = 1.0,
    prefetch: Annotated[
        int, typer.Option(help="Number of messages that the broker delivers ahead.", min=1, max=10_000)
    ] = 1_000,
    declare: Annotated[
        bool, typer.Option("--declare/--no-declare", help="Declare the queue and its dead-letter exchange.")
    ] = True,
    data_dir: DataDir = None,
) -> None:
    """Store the messages of a RabbitMQ queue as batches until Ctrl-C.

    Small messages are merged into one batch. A message is acknowledged once it is stored.
    Any number of consumers share one queue.
    """
    options = {"max_items": max_items, "max_seconds": max_seconds, "prefetch": prefetch, "declare": declare}
    run_command("worker", "consume", url=url, queue=queue, owner=owner, **options, data_dir=data_dir)
