"""Chromium for the tests that look at Millrace through it; each test has a profile of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser import chromium
from tests.browser.tab import Tab


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.installed()
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    with chromium.launched(executable) as launched:
        yield launched


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[[], Tab]]:
    """Opens tabs of one profile; in the end none may have complained of what its test did not provoke."""
    context: BrowserContext = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    tabs: list[Tab] = []

    def open_tab() -> Tab:
        tabs.append(Tab(context))
        return tabs[-1]

    yield open_tab
    context.close()
    unexpected = [said for tab in tabs for said in tab.unexpected()]
    assert not unexpected, "\n".join(unexpected)


@pytest.fixture
def tab(new_tab: Callable[[], Tab]) -> Tab:
    return new_tab()
