"""The console where connections last one second, and users may do as much per minute as deployed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.api_user import AT_ONCE, ApiUser, until_refused
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.scripts import SLOW
from tests.browser.tab import Tab


def test_connections_that_end_every_second_do_not_show(tab: Tab, hurried_user: ApiUser) -> None:
    job = Console(tab, hurried_user).job(hurried_user.new_job(SLOW))
    job.is_complete()
    expect(job.problem).to_have_count(0)


def test_a_user_over_the_rate_limit_sees_why_and_keeps_the_input(tab: Tab, hurried_user: ApiUser) -> None:
    console = Console(tab, hurried_user)
    tab.expect_complaints("429")
    console.open("/console/suggest")
    field = tab.page.get_by_label("Page or component")
    field.fill("Checkout")
    quick = f"[[script: {AT_ONCE}]]"
    # They are more than ten on a machine that takes longer than a minute for them.
    until_refused(lambda: hurried_user.create(additionalContext=quick), most=10)
    tab.page.get_by_role("button", name="Suggest features").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("Too many requests in one minute")
    expect(field).to_have_value("Checkout")
    audit(tab, "suggest-limited")
