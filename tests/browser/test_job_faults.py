"""A job in the console while tabs, networks, servers and stages fail: the page ends with the text of the API."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, wait_until
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.scripts import PAUSES, SLOW, job_that_hangs
from tests.browser.tab import Tab
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT


def test_a_page_reloaded_during_the_stream_shows_the_whole_text(console: Console, user: ApiUser) -> None:
    job = console.job(user.new_job(PAUSES))
    job.until_text(50)
    console.page.reload()
    job.until_text(100)
    assert job.text.startswith('{"suggestions"')
    user.release(job.id)
    job.is_complete()


def test_two_tabs_show_the_same_text(console: Console, user: ApiUser, new_tab: Callable[[], Tab]) -> None:
    job_id = user.new_job(SLOW)
    first, second = console.job(job_id), Console(new_tab(), user).job(job_id)
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
            again.click()
        return len(sixth.text) >= 100

    assert wait_until(connects)
    expect(sixth.problem).to_have_count(0)
    assert sixth.text == user.job(job_id)["text"]


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalStack]:
    """A stack that runs every function in its own process, so that a test can kill one of them."""
    with LocalStack("processes", environment=WITHOUT_TOKEN_TIMEOUT, allowance=ALLOWANCE) as running:
        yield running


def test_a_stage_killed_during_the_stream_starts_again_and_the_page_says_so(tab: Tab, processes: LocalStack) -> None:
    with contextlib.closing(ApiUser(processes)) as user, ModelControl(processes.model_url) as model:
        job = Console(tab, user).job(job_that_hangs(user, model))
        job.until_text(200)
        for pid in processes.processes()["generate_suggestions"]:
            os.kill(pid, signal.SIGKILL)
        expect(job.happened).to_have_count(1)
        expect(job.happened).to_contain_text(["process was lost"])
        made = job.is_complete()
    assert made["retryCount"] == 1
    expect(tab.page.get_by_role("region", name="Stages")).to_contain_text("attempt 2")
    audit(tab, "job-killed-stage")


def test_the_page_reconnects_to_a_restarted_server(console: Console, user: ApiUser, stack: LocalStack) -> None:
    job = console.job(user.new_job(PAUSES))
    job.until_text(50)
    console.tab.expect_complaints("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    with stack.down("stream"):
        expect(job.state).to_have_text("Connection lost. Reconnecting…")
        console.tab.picture("job-connection-lost")
    user.release(job.id)
    job.is_complete()
    expect(job.happened).to_have_count(0)


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


def test_connections_that_end_every_second_do_not_show(tab: Tab, hurried_user: ApiUser) -> None:
    job = Console(tab, hurried_user).job(hurried_user.new_job(SLOW))
    job.is_complete()
    expect(job.problem).to_have_count(0)
