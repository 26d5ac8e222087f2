"""One tab of the browser: a Playwright page with what it complained about, and pictures of what it showed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

SCREENSHOTS = Path(__file__).parent / "screenshots"


class Tab:
    """`complaints`: errors and warnings on its console, blocked by the Content-Security-Policy or uncaught.

    `flaws`: what `tests.browser.audit` has found on its pages.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.context: BrowserContext = page.context
        self.complaints: list[str] = []
        self.flaws: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("crash", lambda _: self.complaints.append("the page crashed"))

    def of(self, page: Page) -> Tab:
        """A page that this one has opened."""
        return Tab(page)

    def expect_complaints(self, pattern: str) -> None:
        """What matches is not held against the page, also if it was said before: Chromium reports every refusal."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        """The complaints that nothing in the test provoked."""
        return [said for said in self.complaints if not any(each.search(said) for each in self._expected)]

    def picture(self, name: str) -> None:
        """Keep what the whole page looks like now."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")

    def offline(self, *, on: bool) -> None:
        """Cut or restore the network of every tab of this context."""
        self.context.set_offline(on)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location.get("url", "")
            self.complaints.append(f"console {message.type}: {message.text} ({where})")
