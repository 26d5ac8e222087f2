"""Check a page against axe-core's rules in each combination of colour scheme and width, and for horizontal overflow."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.tab import Tab

WIDTHS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 375, "height": 812}}
ZOOMED = {"width": 640, "height": 450}
"""The size in CSS pixels of the desktop's window at 200 % zoom."""
SCHEMES = ("light", "dark")
_AXE = Axe()
_REPORTED_IMPACTS = {"serious", "critical"}
_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def problems(page: Page) -> list[str]:
    """Return the serious and critical violations of the page in its current state, and any horizontal overflow."""
    violations: list[dict[str, Any]] = _AXE.run(page, options=_OPTIONS).response["violations"]
    found = [
        f"{violation['impact']} {violation['id']}: {violation['help']} at {', '.join(map(str, node['target']))}"
        f" – {node.get('failureSummary', '')}"
        for violation in violations
        if violation["impact"] in _REPORTED_IMPACTS
        for node in violation["nodes"]
    ]
    return found + overflow(page)


def overflow(page: Page) -> list[str]:
    """Return how much wider than its window the page is, if it is."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"the page is {pixels} px wider than its window"] if pixels > 0 else []


def other_layouts(page: Page) -> list[str]:
    """Return the horizontal overflow of the page at 200 % zoom, and where texts run from right to left."""
    page.set_viewport_size(ZOOMED)
    found = [f"200 % zoom: {each}" for each in overflow(page)]
    page.evaluate("document.documentElement.dir = 'rtl'")
    for width, size in WIDTHS.items():
        page.set_viewport_size(size)
        found += [f"right to left, {width}: {each}" for each in overflow(page)]
    page.evaluate("document.documentElement.removeAttribute('dir')")
    return found


def audit(tab: Tab, state: str) -> None:
    """Take screenshots of this state in both schemes and widths, and add what axe finds to `tab.flaws`."""
    before = tab.page.viewport_size
    for width, size in WIDTHS.items():
        tab.page.set_viewport_size(size)
        for scheme in SCHEMES:
            tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            tab.picture(f"{state}-{width}-{scheme}")
            tab.flaws += [f"{state}, {width}, {scheme}: {problem}" for problem in problems(tab.page)]
    tab.flaws += [f"{state}, {problem}" for problem in other_layouts(tab.page)]
    tab.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    if before is not None:
        tab.page.set_viewport_size(before)
