"""The list of jobs in Chromium with thousands of jobs: how soon it answers its user. Part of `make bench-console`.

The page is the console's; its API answers in the page, after the time of a quick request, so the figures are what the
browser does. What the server needs for a filter is measured by `make bench` and held by tests/storage.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from shared.web.site import FILES_AT

JOBS = 5_000
LATENCY = 40
"""Milliseconds after which the API in the page answers."""

LISTS = Path(__file__).with_name("console_lists.js").read_text()


def lists(browser: Browser, origin: str, throttled: int) -> tuple[dict[str, float], int]:
    """Use the list of `JOBS` jobs, and return the milliseconds of each act and how many requests were made."""
    page = browser.new_page()
    page.goto(origin)
    page.get_by_role("main").get_by_role("button", name="Sign in").wait_for()
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": throttled})
    found = page.evaluate(LISTS, {"at": f"{origin}{FILES_AT}", "count": JOBS, "latency": LATENCY})
    page.close()
    return found["figures"], found["requests"]
