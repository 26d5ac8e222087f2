"""The audit of the other tests finds what is wrong in one scheme, at one width, or in one direction only."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from tests.browser.audit import found_in
from tests.browser.tab import Tab

PAGE = """<!doctype html><html lang="en"><title>Page</title><style>
  :root {{ color-scheme: light dark; }}
  body {{ background: light-dark(white, black); color: light-dark(black, white); }}
  .pale {{ color: light-dark(#ccc, white); }}
  .dim {{ color: light-dark(black, #444); }}
  .large {{ width: 48px; height: 48px; }}
  .small {{ width: 48px; height: 48px; }}
  @media (max-width: 44rem) {{
    .desktop {{ display: none; }}
    .small {{ width: 12px; height: 12px; margin: 0; padding: 0; border: 0; }}
  }}
  @media (min-width: 44.01rem) {{ .phone {{ display: none; }} }}
</style><main><h1>Page</h1>{}</main>"""
SAME = """
  <p id="pale" class="pale">Pale</p><p id="dim" class="dim">Dim</p><button id="nameless" class="large"></button>
  <div><button id="one" class="small">1</button><button id="two" class="small">2</button></div>
  <div style="width: 700px">Wide</div>
"""
DIFFERENT = """
  <p id="pale" class="desktop pale">Pale</p><p id="dim" class="desktop dim">Dim</p>
  <p id="dark" class="phone dim">Dim</p><button id="nameless" class="phone large"></button>
  <button id="unlabelled" class="large"><span class="desktop">Send</span></button>
  <div style="position: absolute; left: -9px">Out</div>
"""


def found(page: Page, content: str) -> set[tuple[str, str, str]]:
    """Return where something is wrong, by which rule or in which direction, and with which element."""
    page.set_content(PAGE.format(content))
    pattern = re.compile(r"([^:]+): (?:\w+ )?([\w-]+): .*?(#\w+|$)", re.DOTALL)
    matches = {each: pattern.match(each) for each in found_in(page)}
    assert None not in matches.values(), matches
    return {(match[1], match[2], match[3]) for match in matches.values() if match is not None}


def test_the_audit_finds_what_is_wrong_at_one_width_or_in_one_scheme_only(tab: Tab) -> None:
    tab.page.goto("about:blank")
    assert found(tab.page, SAME) == {
        ("phone, dark", "color-contrast", "#dim"),
        ("phone, dark", "target-size", "#one"),
        ("phone, dark", "target-size", "#two"),
        ("phone, dark", "ltr", ""),
        ("phone, dark", "rtl", ""),
        ("200 % zoom", "ltr", ""),
        ("desktop, light", "color-contrast", "#pale"),
        ("desktop, light", "button-name", "#nameless"),
    }
    assert found(tab.page, DIFFERENT) == {
        ("phone, dark", "color-contrast", "#dark"),
        ("phone, dark", "button-name", "#nameless"),
        ("phone, dark", "button-name", "#unlabelled"),
        ("phone, dark", "rtl", ""),
        ("desktop, dark", "color-contrast", "#dim"),
        ("desktop, light", "color-contrast", "#pale"),
        ("desktop, light", "rtl", ""),
    }
