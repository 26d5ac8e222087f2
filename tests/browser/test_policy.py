"""The console's Content-Security-Policy."""

from __future__ import annotations

from tests.browser.console import Console


def test_a_foreign_image_inline_style_and_html_are_blocked_and_reported(console: Console) -> None:
    console.open("/console/jobs")
    assert console.tab.unexpected() == []
    console.tab.evaluate(
        """() => {
          document.body.append(Object.assign(document.createElement('img'), { src: 'https://example.com/x.png' }));
          const style = document.createElement('style');
          style.textContent = 'body { color: red }';
          document.body.append(style);
        }"""
    )
    refused = console.tab.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; } catch (e) { return e.name; } }"
    )
    assert refused == "TypeError"
    console.page.wait_for_function("getComputedStyle(document.body).color !== 'rgb(255, 0, 0)'")
    reported = "\n".join(console.tab.unexpected())
    for directive in ("img-src", "style-src", "TrustedHTML"):
        assert directive in reported
    console.tab.expect_complaints("")
