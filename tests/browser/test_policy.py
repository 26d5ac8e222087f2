"""The console's Content-Security-Policy, and where its tokens are kept."""

from __future__ import annotations

from tests.api_user import AT_ONCE
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


def test_no_address_contains_a_token(console: Console) -> None:
    urls: list[str] = []
    console.page.on("request", lambda request: urls.append(request.url))
    console.page.on("framenavigated", lambda frame: urls.append(frame.url))
    console.suggest(page="Checkout", context=f"[[script: {AT_ONCE}]]").is_complete()
    tokens = console.tab.evaluate("Object.values(JSON.parse(sessionStorage.getItem('millrace.tokens')))")
    secrets = [token for token in tokens if isinstance(token, str)]
    assert len(secrets) == 3
    assert not [url for url in urls if any(secret in url for secret in secrets)]
