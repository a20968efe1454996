"""A visit to a page in Chromium, which records what a page of this server must never do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket

from tests.support.code.source import ROOT
from tests.support.waiting import DEADLINE_SECONDS

SCREENSHOTS = ROOT / ".bench" / "screenshots"
"""Folder of the pictures that tests take, for people to look at."""
SCREENS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "forced": {"forced_colors": "active"},
}
"""Screens on which a page is looked at, as options of a visit."""
Value = TypeVar("Value")
REPORT_VIOLATIONS = """addEventListener('securitypolicyviolation', (event) =>
  console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI}`))"""
FIND_VIOLATIONS = """async () => (await axe.run(document, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations'] }))
  .violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])"""


@dataclass(eq=False)
class Visit:
    """An open page with the problems seen so far; as a context manager, it closes the page.

    A page that still asks when its server ends writes to the console. So a visit is closed before its server.

    Attributes:
        page: The page of playwright.
        origin: The only origin that the page may send requests to.
        problems: Console messages, script errors, violations of the Content-Security-Policy, requests to other origins.
        frames: Messages that WebSockets received.
        sent: Messages that WebSockets sent.
        responses: Answers of `/graphql` to requests of the page.
    """

    page: Page
    origin: str
    problems: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.context.close()

    def watch(self, context: BrowserContext) -> None:
        """Record everything that happens in the context."""
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        self.page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        self.page.on("websocket", self._on_websocket)

    def open(self, path: str) -> None:
        """Open a page of the server and wait until it is loaded."""
        response = self.page.goto(f"{self.origin}{path}")
        assert response is not None
        assert response.status == 200

    def wait_until(self, condition: Callable[[], object], message: str) -> None:
        """Wait for a condition that messages of the browser bring about, or fail."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, message
            # Only a call of playwright receives messages of the browser.
            self.page.wait_for_timeout(20)

    def expect_value(self, read: Callable[[], Value], expected: Value) -> None:
        """Wait until the page shows a value, or fail with the last one that it showed."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (found := read()) != expected and time.monotonic() < deadline:
            self.page.wait_for_timeout(20)
        assert found == expected

    def wait_for_subscription(self) -> None:
        """Wait until the page has sent a subscription over its WebSocket."""
        self.wait_until(lambda: any('"type":"subscribe"' in message for message in self.sent), "nothing is subscribed")

    def tab_to(self, label: str, *, exact: bool = False) -> None:
        """Press Tab until the element of this label or text has the focus.

        Without `exact`, the text may go on.
        """

        def is_focused() -> bool:
            text: str = self.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
            return text == label or (not exact and text.startswith(label))

        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_focused():
            assert time.monotonic() < deadline, f"Tab does not reach {label!r}"
            self.page.keyboard.press("Tab")

    def expect_console(self, text: str) -> None:
        """Remove the console messages with this text, of which there must be one.

        Browsers write refused requests to the console.
        """
        if not self.page.is_closed():
            self.wait_until(lambda: any(text in problem for problem in self.problems), f"the console has no {text!r}")
        expected = [problem for problem in self.problems if text in problem]
        assert expected, self.problems
        self.problems = [problem for problem in self.problems if problem not in expected]

    def allow_console(self, *texts: str) -> None:
        """Remove the console messages with one of these texts.

        Requests that an outage may have met write them, or do not.
        """
        self.problems = [problem for problem in self.problems if not any(text in problem for text in texts)]

    def find_violations(self, axe: Path) -> list[tuple[str, str]]:
        """Return the violations of WCAG 2.2 A and AA that axe-core finds, as rule and element."""
        self.page.evaluate(axe.read_text(encoding="utf-8"))
        found: list[tuple[str, list[str]]] = self.page.evaluate(FIND_VIOLATIONS)
        return [(rule, node) for rule, nodes in found for node in nodes]

    def overflows(self) -> bool:
        """Return whether the page is wider than the window."""
        wider: bool = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return wider

    def take_screenshot(self, name: str) -> None:
        """Write a picture of the page for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.problems.append(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        # Downloads of a page are blob: URLs.
        if not request.url.startswith((f"{self.origin}/", "blob:")):
            self.problems.append(f"request to another origin: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.request.method == "POST" and urlsplit(response.url).path == "/graphql":
            self.responses.append(response)

    def _on_websocket(self, socket: WebSocket) -> None:
        if urlsplit(socket.url).netloc != urlsplit(self.origin).netloc:
            self.problems.append(f"WebSocket to another origin: {socket.url}")
        socket.on("framesent", lambda payload: self.sent.append(str(payload)))
        socket.on("framereceived", lambda payload: self.frames.append(str(payload)))
