"""A browser tab: a Playwright page that records errors and takes screenshots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

SCREENSHOTS = Path(__file__).parent / "screenshots"


class Tab:
    """`complaints`: errors and warnings in its console, violations of the Content-Security-Policy, uncaught exceptions.

    `flaws`: what `tests.browser.audit` found on its pages.
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
        """Return the tab of a page that this tab has opened."""
        return Tab(page)

    def expect_complaints(self, pattern: str) -> None:
        """Accept complaints that match, earlier ones included. Chromium reports every response with an error status."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        """Return the complaints that the test does not expect."""
        return [found for found in self.complaints if not any(each.search(found) for each in self._expected)]

    def picture(self, name: str) -> None:
        """Save a screenshot of the whole page; as a JPEG, because a PNG takes half as long again."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(
            path=SCREENSHOTS / f"{name}.jpg", type="jpeg", quality=70, full_page=True, animations="disabled"
        )

    def offline(self, *, on: bool) -> None:
        """Disconnect or reconnect the network of every tab of this profile."""
        self.context.set_offline(on)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location.get("url", "")
            self.complaints.append(f"console {message.type}: {message.text} ({where})")
