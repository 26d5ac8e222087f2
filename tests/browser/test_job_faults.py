"""A job in the console while tabs, networks, servers and stages fail: the page ends with the text of the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import expect

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, wait_until
from tests.browser.audit import audit
from tests.browser.console import Console, JobPage
from tests.browser.scripts import PAUSES, SLOW, job_that_hangs
from tests.browser.tab import Tab


def test_a_page_that_is_reloaded_and_reconnects_to_a_restarted_server_shows_the_whole_text(
    console: Console, user: ApiUser, stack: LocalStack
) -> None:
    job = console.job(user.new_job(PAUSES))
    job.until_text(50)
    console.page.reload()
    job.until_text(100)
    assert job.text.startswith('{"suggestions"')
    console.tab.expect_complaints("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    with stack.down("stream"):
        expect(job.state).to_have_text("Connection lost. Reconnecting…")
        console.tab.picture("job-connection-lost")
    user.release(job.id)
    job.is_complete()
    expect(job.happened).to_have_count(0)


def test_two_tabs_show_the_same_text(console: Console, user: ApiUser, new_tab: Callable[[], Tab]) -> None:
    job_id = user.new_job(SLOW)
    tabs = (console, Console(new_tab(), user))
    for each in tabs:  # the second one signs in without a form
        each.open_signed_out(f"/console/jobs/{job_id}")
    first, second = map(JobPage, tabs)
    for least in (100, 400, 800):
        for page in (first, second):
            page.until_text(least)
        one, other = sorted([first.text, second.text], key=len)
        assert other.startswith(one)
    assert first.is_complete()["text"] == second.is_complete()["text"]


def test_a_sixth_tab_is_refused_until_another_is_closed(
    console: Console, user: ApiUser, new_tab: Callable[[], Tab], model: ModelControl
) -> None:
    job_id = job_that_hangs(user, model)
    tabs = [console.tab, *(new_tab() for _ in range(4))]
    for tab in tabs:
        Console(tab, user).job(job_id).until_text(100)
    sixth = Console(new_tab(), user).job(job_id)
    sixth.tab.expect_complaints("429")
    expect(sixth.problem).to_contain_text("Too many live streams are open")
    expect(sixth.problem).to_contain_text("Close another tab")
    audit(sixth.tab, "job-sixth-tab")
    tabs[1].page.close()
    again = sixth.problem.get_by_role("button", name="Try again")

    def connects() -> bool:
        if again.is_visible():
            with contextlib.suppress(NotInTime):  # it disappears if the click before was successful
                again.click(timeout=1000)
        return len(sixth.text) >= 100

    assert wait_until(connects)
    expect(sixth.problem).to_have_count(0)
    sixth.has_text(user.job(job_id)["text"])


def test_the_session_is_still_valid_after_the_api_restarts(console: Console, user: ApiUser, stack: LocalStack) -> None:
    job_id = user.new_job(AT_ONCE)
    user.ended(job_id)
    console.open("/console/jobs")
    jobs = console.page.get_by_role("table").get_by_role("row")
    expect(jobs.filter(has_text=job_id)).to_be_visible()
    console.tab.expect_complaints("ERR_CONNECTION_REFUSED")
    with stack.down("api"):
        console.page.get_by_label("Status").select_option(label="Completed")
        expect(console.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        audit(console.tab, "jobs-unreachable")
    console.page.get_by_role("button", name="Try again").click()
    expect(console.page.get_by_role("alert")).to_have_count(0)
    expect(jobs.filter(has_text=job_id)).to_be_visible()


def test_a_tab_that_was_offline_catches_up(console: Console, user: ApiUser, stack: LocalStack) -> None:
    """Chromium's offline mode refuses new connections and keeps open ones, so the server closes the open one."""
    job = console.job(user.new_job(PAUSES))
    job.until_text(50)
    console.tab.expect_complaints("ERR_INTERNET_DISCONNECTED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    console.tab.offline(on=True)
    with stack.down("stream"):
        expect(job.state).to_have_text("Connection lost. Reconnecting…")
    seen = job.text
    user.release(job.id)
    wait_until(lambda: len(user.job(job.id)["text"]) > len(seen) + 200)
    assert job.text == seen
    console.tab.offline(on=False)
    job.until_text(len(seen) + 200)
    job.is_complete()
    expect(job.happened).to_have_count(0)
