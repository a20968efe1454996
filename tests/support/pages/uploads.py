"""The page for uploads: files, and the steps of a person who uploads one."""

from typing import Any

from playwright.sync_api import Locator

from tests.support.fixtures.server import Client, Json
from tests.support.pages.visit import Visit

HEADER = "origin_code,destination_code,day,price\n"
DROP_FILE = """(target, [name, text]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([text], name));
  for (const type of ['dragover', 'drop']) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""
BATCHES = "{ batches { edges { node { number status source idempotencyKey acceptedCount rejectedCount } } } }"


def prices(*amounts: int, day: str = "2026-07-14", invalid: int = 0) -> str:
    """Return a CSV file of prices from Shanghai to Rotterdam, then of a port that is unknown."""
    valid = "".join(f"CNSGH,NLRTM,{day},{amount}\n" for amount in amounts)
    return HEADER + valid + f"CNSGX,NLRTM,{day},1000\n" * invalid


def choose(visit: Visit, text: str | bytes, name: str = "prices.csv") -> None:
    """Choose a file with this content."""
    content = text.encode() if isinstance(text, str) else text
    visit.page.set_input_files("input[type=file]", {"name": name, "mimeType": "", "buffer": content})


def heading(visit: Visit, name: str) -> Locator:
    """Return the heading that names the state of the upload."""
    return visit.page.get_by_role("heading", name=name)


def button(visit: Visit, name: str) -> Locator:
    """Return the button with this label."""
    return visit.page.get_by_role("button", name=name, exact=True)


def list_batches(client: Client) -> list[Json]:
    """Return the batches, newest first."""
    found: list[dict[str, Any]] = client.ask(BATCHES)["batches"]["edges"]
    return [edge["node"] for edge in found]
