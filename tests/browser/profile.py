"""The browser profile of all tests of a worker: after each of them, nothing of it is left but the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from playwright.sync_api import Browser, BrowserContext, Page

from local.stack import LocalStack
from tests.patience import PATIENCE

EMPTY = "/.well-known/jwks.json"
"""A small document of the console's origin, which runs no script. It is below the URL of the issuer."""
_STORAGE = "cookies,file_systems,indexeddb,local_storage,service_workers,cache_storage"


class Profile:
    """A profile whose tabs are those of one test at a time.

    A new profile for each test would have no cache: the browser would request and compile every file of the console.
    One tab stays open. The others share its process, which has started before, and has compiled the scripts of the
    console, of Playwright and of axe-core.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self._first = context.new_page()
        self._commands = context.new_cdp_session(self._first)  # to delete what the pages have stored

    @classmethod
    @contextmanager
    def of(cls, browser: Browser) -> Iterator[Self]:
        """Open a profile for the length of the block."""
        # Nothing is tested of an animation, which would be drawn sixty times a second.
        context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE * 1000)
        yield cls(context)
        context.close()

    def new_page(self, stack: LocalStack) -> Page:
        """Return the page of a new tab with a small document of the console's origin, without anything stored."""
        url = stack.issuer_url + EMPTY
        if self._first.url != url:
            self._first.goto(url)
        with self.context.expect_page() as opened:
            # Without `noopener` it would get a copy of the first tab's session storage.
            self._first.evaluate("url => void open(url, '_blank', 'noopener')", url)
        return opened.value

    def clear(self) -> None:
        """Close all tabs but the first, and delete cookies, storage and permissions."""
        for page in self.context.pages:
            if page is not self._first:
                page.close()
        self._commands.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": _STORAGE})
        self.context.clear_cookies()
        self.context.clear_permissions()
        self.context.set_offline(False)
