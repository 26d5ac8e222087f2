"""Fixtures for the browser tests: Chromium, its profile, and the local stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.api_user import ApiUser
from tests.browser import chromium
from tests.browser.console import Console
from tests.browser.other_origin import EXAMPLE, served
from tests.browser.profile import Profile
from tests.browser.tab import Tab
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT

# In the order of their CPU time. A worker runs whole files, so a long one that begins late would run alone at the end.
_LONGEST = (
    *("test_video_page", "test_run_page", "test_job_page", "test_client", "test_sheet_page", "test_forms"),
    *("test_job_faults", "test_video_tabs", "test_kills", "test_rendering", "test_render_demo", "test_renders"),
    *("test_stage", "test_video_images", "test_render_cost", "test_webhooks", "test_job_debugging", "test_limits"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


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
    with chromium.launched(playwright, process_per_site=True) as launched:
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


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Iterator[Profile]:
    with Profile.of(browser) as opened:
        yield opened


@pytest.fixture
def new_tab(profile: Profile, stack: LocalStack) -> Iterator[Callable[[], Tab]]:
    """Return a function that opens tabs of one profile. Unexpected complaints and flaws of a tab fail the test."""
    tabs: list[Tab] = []

    def open_tab() -> Tab:
        tabs.append(Tab(profile.new_page(stack)))
        return tabs[-1]

    yield open_tab
    profile.clear()
    found = [each for tab in tabs for each in [*tab.unexpected(), *tab.flaws]]
    assert not found, "\n".join(found)


@pytest.fixture
def tab(new_tab: Callable[[], Tab]) -> Tab:
    return new_tab()


@pytest.fixture
def console(tab: Tab, user: ApiUser) -> Console:
    return Console(tab, user)
