"""Firefox without a network, driven by WebDriver BiDi.

The protocol is that of https://www.w3.org/TR/webdriver-bidi/. playwright drives only a Firefox of its own, which it would have
to download.
"""

import json
import os
import re
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.fixtures.server import Json
from tests.support.pages.visit import SCREENSHOTS
from tests.support.waiting import DEADLINE_SECONDS, eventually

LISTENING = re.compile(r"WebDriver BiDi listening on (\S+)")
EVENTS = ["log.entryAdded", "network.beforeRequestSent"]
PREFERENCES = {
    # The pages must work without a network: everything but this machine goes to a proxy that does not exist.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}


class Firefox:
    """Tab of Firefox.

    Attributes:
        messages: What its console and its scripts reported since the page was opened.
        requests: URLs that it requested since then.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._call("session.new", capabilities={})
        self._context: str = self._call("browsingContext.getTree")["contexts"][0]["context"]
        self._call("session.subscribe", events=EVENTS, contexts=[self._context])
        self._call("browsingContext.setViewport", context=self._context, viewport={"width": 1200, "height": 800})

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self.messages.clear()
        self.requests.clear()
        self._call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression of JavaScript is true."""
        eventually(lambda: self.evaluate(expression), f"never true: {expression}")

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401
        """Return the value of an expression of JavaScript: a text, a number or a truth value."""
        target = {"context": self._context}
        return self._call("script.evaluate", expression=expression, target=target, awaitPromise=False)["result"].get(
            "value"
        )

    def overflows(self) -> bool:
        """Return whether the page is wider than the window."""
        return bool(self.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def take_screenshot(self, name: str) -> None:
        """Write a picture of the window for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        picture = self._call("browsingContext.captureScreenshot", context=self._context)["data"]
        (SCREENSHOTS / f"{name}.png").write_bytes(b64decode(picture))

    def _call(self, method: str, **params: object) -> Json:
        """Return the result of a command, and record the events that arrive before it."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message: Json = json.loads(self._socket.recv(DEADLINE_SECONDS))
            if message.get("id") == self._number:
                assert message["type"] == "success", message
                result: Json = message["result"]
                return result
            if message.get("method") == "log.entryAdded":
                self.messages.append(f"{message['params']['level']}: {message['params'].get('text')}")
            elif message.get("method") == "network.beforeRequestSent":
                self.requests.append(message["params"]["request"]["url"])


@contextmanager
def running_firefox(program: str, folder: Path) -> Iterator[Firefox]:
    """Run Firefox with a new profile in the folder."""
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    (folder / "user.js").write_text("".join(lines))
    arguments = [program, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
    log = folder / "firefox.log"
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, env={**os.environ, "HOME": str(folder)}, stdout=output, stderr=output)
    try:
        eventually(lambda: LISTENING.search(log.read_text(errors="replace")), "Firefox does not listen")
        (address,) = LISTENING.findall(log.read_text(errors="replace"))
        with connect(f"{address}/session", max_size=None, open_timeout=DEADLINE_SECONDS) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)
