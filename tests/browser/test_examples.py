"""The page in `examples/browser`, served from another origin, watches a job with the deployed client."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.api_user import ApiUser
from tests.browser.tab import Tab

FOLDER = Path(__file__).resolve().parents[2] / "examples/browser"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(FOLDER))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_example_page_shows_a_job_until_it_is_complete(tab: Tab, user: ApiUser, origin: str) -> None:
    tab.expect_complaints("favicon")
    page = tab.page
    page.goto(origin)
    page.get_by_label("API").fill(user.stack.api_url)
    page.get_by_label("Token").fill(user.token)
    page.get_by_role("button", name="Create").click()

    expect(page.get_by_role("status")).to_have_text("complete")
    expect(page.locator("#text")).to_contain_text('"suggestions"')
