"""Check a page against axe-core's rules in both colour schemes and widths, and for horizontal overflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.tab import Tab

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}
ZOOMED = {"width": 640, "height": 450}
"""The size in CSS pixels of the desktop's window at 200 % zoom."""
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules among these tags that look at colours."""
_OF_LAYOUT = ["scrollable-region-focusable", "target-size"]
"""The rules among these tags that look at sizes and positions. The others look at what a page contains and displays."""
# axe gives each of its rules one impact. No frame has axe-core in it, so it would wait for the answer of each of them.
# To preload is to fetch and parse all style sheets, for a rule that is not among these.
# The contrast takes most of the time. Texts of one look, which are on the same backgrounds, have the same: one of them
# is checked, and all if that does not tell, as where something covers it.
_RUN = """async ([tags, only]) => {
  const { rules } = axe._audit;
  const has = (rule, names) => rule.tags.some((tag) => names.includes(tag));
  const isWanted = (rule) => has(rule, tags) && !has(rule, ["experimental", "deprecated"]);
  const isReported = ({ id, impact }) => impact !== "minor" && impact !== "moderate" && (!only || only.includes(id));
  const values = rules.filter((rule) => isWanted(rule) && isReported(rule)).map(({ id }) => id);
  const options = { resultTypes: ["violations"], iframes: false, preload: false };
  const run = (values) => axe.run({ ...options, runOnly: { type: "rule", values } });

  const contrast = rules.find(({ id }) => id === "color-contrast");
  const { matches } = contrast, seen = new Set(), backgrounds = new Map();
  const behind = (element) => {
    if (element === null) return "";
    if (!backgrounds.has(element)) {
      const style = getComputedStyle(element);
      const inFlow = style.position === "static" && style.float === "none" && style.transform === "none";
      const own = [style.backgroundColor, style.backgroundImage, style.opacity, inFlow ? "" : backgrounds.size];
      backgrounds.set(element, `${behind(element.parentElement)}/${own}`);
    }
    return backgrounds.get(element);
  };
  contrast.matches = function (element, ...rest) {
    const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
    const look = `${[color, fontSize, fontWeight, textShadow]} ${behind(element)}`;
    return !seen.has(look) && matches.call(this, element, ...rest) && Boolean(seen.add(look));
  };
  const { violations, incomplete } = await run(values).finally(() => { contrast.matches = matches; });
  if (!incomplete.some(({ id }) => id === contrast.id)) return violations;
  return [...violations.filter(({ id }) => id !== contrast.id), ...(await run([contrast.id])).violations];
}"""
_DISPLAYED = """() => [...document.querySelectorAll("body *")]
  .filter((each) => !each.closest("[aria-hidden=true]"))
  .map((each) => Number(each.checkVisibility({ visibilityProperty: true }))).join("")"""
_OVERFLOW = """(direction) => {
  const root = document.documentElement;
  const pixels = () => root.scrollWidth - root.clientWidth;
  if (direction === "ltr") return pixels();
  root.dir = direction;
  const found = pixels();
  root.removeAttribute("dir");
  return found;
}"""


def problems(page: Page, only: list[str] | None = None) -> list[str]:
    """Return the serious and critical violations of these rules, or of all, by the page in its current state."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE_SCRIPT)
    violations: list[dict[str, Any]] = page.evaluate(_RUN, [_TAGS, only])
    return [
        f"{violation['impact']} {violation['id']}: {violation['help']} at {', '.join(map(str, node['target']))}"
        f" – {node.get('failureSummary', '')}"
        for violation in violations
        for node in violation["nodes"]
    ]


def overflow(page: Page, direction: Literal["ltr", "rtl"] = "ltr") -> list[str]:
    """Return how much wider than its window the page is, if it is, where texts run in this direction."""
    pixels: int = page.evaluate(_OVERFLOW, direction)
    return [f"{direction}: the page is {pixels} px wider than its window"] if pixels > 0 else []


def found_in(page: Page, picture: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return what is wrong with the page: in the light scheme on a desktop, zoomed, and in the dark one on a phone.

    Schemes differ in their colours only, and no colour is only for some widths: tests/contract/test_console_styles.py.
    So the phone is checked for what depends on colours and layout. If it displays other elements than the desktop, it
    is checked for everything, and the desktop for its colours in the dark scheme as well. Elements that are hidden from
    assistive technology, such as icons, do not count. `picture` is called with the device that is shown.
    """
    page.set_viewport_size(DESKTOP)
    displayed = page.evaluate(_DISPLAYED)
    picture("desktop")
    found = {"desktop, light": [*problems(page), *overflow(page), *overflow(page, "rtl")]}
    page.set_viewport_size(ZOOMED)
    found["200 % zoom"] = overflow(page)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    picture("phone")
    is_same = page.evaluate(_DISPLAYED) == displayed
    wrong = problems(page, [*_OF_COLOURS, *_OF_LAYOUT] if is_same else None)
    found["phone, dark"] = [*wrong, *overflow(page), *overflow(page, "rtl")]
    page.set_viewport_size(DESKTOP)
    if not is_same:
        found["desktop, dark"] = problems(page, _OF_COLOURS)
    page.emulate_media(color_scheme="light")
    return [f"{where}: {problem}" for where, each in found.items() for problem in each]


def audit(tab: Tab, state: str) -> None:
    """Take screenshots of this state, and add to `tab.flaws` what is wrong with the page."""
    before = tab.page.viewport_size
    found = found_in(tab.page, lambda device: tab.picture(f"{state}-{device}"))
    tab.flaws += [f"{state}, {each}" for each in found]
    if before is not None and before != DESKTOP:
        tab.page.set_viewport_size(before)
