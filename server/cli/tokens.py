"""Commands of `ratesgraph token`."""

from typing import Annotated

import typer

from resolvers.caller import AuthScope
from server.cli.options import DataDir, run_command

token_app = typer.Typer(no_args_is_help=True, help="Manage API tokens.")


@token_app.callback()
def token() -> None:
    """Manage API tokens."""


@token_app.command("create")
def create_token(
    name: Annotated[
        str, typer.Option(show_default=False, help="Owner of the token. All tokens of one name see the same batches.")
    ],
    scope: Annotated[
        list[AuthScope], typer.Option(show_default=False, help="Permission of the token; may be given several times.")
    ],
    expires: Annotated[str, typer.Option(help="A number of days (90d), the last day (2027-01-31) or never.")] = "90d",
    data_dir: DataDir = None,
) -> None:
    """Create a token and print it once; only its hash is stored."""
    run_command("tokens", "create", name=name, scopes=sorted(set(scope)), expires=expires, data_dir=data_dir)


@token_app.command("list")
def list_tokens(data_dir: DataDir = None) -> None:
    """List all tokens with owner, scopes, expiry and last use (to within ten minutes)."""
    run_command("tokens", "list_all", data_dir=data_dir)


@token_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", show_default=False)], data_dir: DataDir = None
) -> None:
    """Revoke a token permanently.

    Running servers reject it within a second and close the streams that were opened with it.
    """
    run_command("tokens", "revoke", token=token, data_dir=data_dir)
