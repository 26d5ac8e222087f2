"""The debugging views of a job: the same after its end and after a reload. Of a job that runs: test_job_page.py."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.api_user import ApiUser
from tests.browser.audit import audit
from tests.browser.console import Console


def test_a_repaired_job_is_debugged_and_run_again(console: Console, user: ApiUser) -> None:
    """Its timeline after the end, its events, the discarded text, its JSON and commands; then it runs again, edited."""
    job = console.job(user.new_job("invalid_json, token_ms=0, first_token_ms=0, times=1"))
    job.is_complete()
    page = console.page
    debug = page.get_by_role("region", name="Debugging")
    timeline = debug.get_by_role("table")
    names = timeline.get_by_role("rowheader")
    expect(names.filter(has_text="Model output")).to_have_count(2)
    shown = names.all_inner_texts()
    assert shown[:2] == ["Queue", "Generate suggestions"]

    page.reload()
    expect(names.filter(has_text="Model output")).to_have_count(2)
    expect(names).to_have_text(shown, use_inner_text=True)
    names.nth(0).get_by_role("button").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(debug.get_by_role("heading", name="Generate suggestions")).to_be_visible()

    for name in ("Events", "Discarded text", "JSON", "Commands and links", "Run again"):
        debug.locator("summary", has_text=re.compile(f"^{name}$")).click()
    debug.get_by_role("button", name="Load all events").first.click()
    made = user.job(job.id)
    expect(debug.get_by_text(f"{made['lastEventId']} of {made['lastEventId']} events.")).to_be_visible()
    expect(debug.get_by_role("region", name=re.compile("^Difference: "))).to_be_visible()
    debug.get_by_label("Type").select_option("reset")
    expect(debug.get_by_text(f"1 of {made['lastEventId']} events.")).to_be_visible()
    debug.get_by_role("region", name="Events").get_by_role("button").click()
    expect(debug.get_by_role("region", name=re.compile(r"Event \d+ as JSON"))).to_contain_text('"reason": "REPAIR"')
    expect(debug.get_by_role("region", name="Usage and cost as JSON")).to_contain_text("outputTokens")
    commands = debug.get_by_role("region", name="Create this job again")
    expect(commands).to_contain_text("$MILLRACE_TOKEN")
    expect(commands).to_contain_text(made["input"]["pageOrComponent"])
    page.evaluate("scrollTo(0, 0)")  # elsewhere the sticky state may cover a part of a row, which axe calls too small
    audit(console.tab, "job-debugging")

    editor = debug.get_by_label("Input of the new job, as JSON")
    console.tab.expect_complaints("status of 422")
    editor.fill('{"pageOrComponent": ""}')
    debug.get_by_role("button", name="Run again").click()
    expect(debug.get_by_role("alert")).to_contain_text("featureType")
    editor.fill('{"pageOrComponent": "Edited", "featureType": "enhancement", "priorityLevel": "low"}')
    debug.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Edited")
