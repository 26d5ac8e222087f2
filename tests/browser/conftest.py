"""Fixtures for the browser tests: Chromium, the local stack, and a new browser profile for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.api_user import ApiUser
from tests.browser import chromium
from tests.browser.console import Console
from tests.browser.other_origin import EXAMPLE, served
from tests.browser.tab import Tab
from tests.patience import ALLOWANCE, PATIENCE, WITHOUT_TOKEN_TIMEOUT


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if chromium.installed() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium.launched(playwright) as launched:
        yield launched


@pytest.fixture(scope="session")
def example_origin() -> Iterator[str]:
    """The origin that serves `examples/browser`; the stack is started for it."""
    with served(EXAMPLE) as origin:
        yield origin


@pytest.fixture(scope="session")
def stack(example_origin: str) -> Iterator[LocalStack]:
    """The local stack with the deployed settings, except the limits per minute."""
    with LocalStack(
        environment={**WITHOUT_RATE_LIMITS, **WITHOUT_TOKEN_TIMEOUT}, origins=[example_origin], allowance=ALLOWANCE
    ) as started:
        yield started


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[[], Tab]]:
    """Return a function that opens tabs of one profile. Unexpected complaints and flaws of a tab fail the test."""
    context: BrowserContext = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    tabs: list[Tab] = []

    def open_tab() -> Tab:
        tabs.append(Tab(context.new_page()))
        return tabs[-1]

    yield open_tab
    context.close()
    found = [each for tab in tabs for each in [*tab.unexpected(), *tab.flaws]]
    assert not found, "\n".join(found)


@pytest.fixture
def tab(new_tab: Callable[[], Tab]) -> Tab:
    return new_tab()


@pytest.fixture
def console(tab: Tab, user: ApiUser) -> Console:
    return Console(tab, user)
