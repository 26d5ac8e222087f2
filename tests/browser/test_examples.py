"""The page in `examples/browser`, served from another origin, watches a job with the deployed client."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.api_user import ApiUser
from tests.browser.tab import Tab


def test_the_example_page_shows_a_job_until_it_is_complete(tab: Tab, user: ApiUser, example_origin: str) -> None:
    tab.expect_complaints("favicon")
    page = tab.page
    page.goto(example_origin)
    page.get_by_label("API").fill(user.stack.api_url)
    page.get_by_label("Token").fill(user.token)
    page.get_by_role("button", name="Create").click()

    expect(page.get_by_role("status")).to_have_text("complete")
    expect(page.locator("#text")).to_contain_text('"suggestions"')
