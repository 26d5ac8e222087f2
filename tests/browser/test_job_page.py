"""A job in the console: whatever happens to it or to the tab, the page ends with the text that the API has."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from local.model_control import ModelControl
from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, data_of, wait_until
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.tab import Tab

SLOW = "token_ms=10, first_token_ms=0"
"""Script of a model that writes for three to four seconds."""


def job_that_hangs(user: ApiUser, model: ModelControl) -> str:
    """The id of one whose model writes some 300 characters and then nothing more; asked again, it answers at once."""
    page = f"Page {uuid.uuid4().hex}"
    model.script(match=page, times=1, hang_after=60, token_ms=2, first_token_ms=0)
    answer = user.create(pageOrComponent=page, additionalContext=f"[[script: {AT_ONCE}]]")
    return str(data_of(answer, 202)["jobId"])


def test_from_signing_in_to_the_result(console: Console) -> None:
    console.page.goto(console.user.stack.api_url)
    audit(console.tab, "welcome")
    console.page.get_by_role("button", name="Sign in").click()
    console.sign_in()
    job = console.suggest(
        page="Checkout – naïve “quotes” 🛒",
        kind="New capability",
        priority="High",
        context="Guests leave at the address form. [[script: token_ms=3]]",
    )
    expect(console.page.get_by_role("heading", level=1)).to_have_text("Checkout – naïve “quotes” 🛒")
    made = job.is_complete()
    assert made["input"]["featureType"] == "new-capability"
    assert made["input"]["priorityLevel"] == "high"
    expect(console.page.get_by_role("region", name="Figures")).to_contain_text(f"{made['usage']['outputTokens']}")
    audit(console.tab, "job-complete")


def test_the_text_grows_while_the_model_writes(console: Console, user: ApiUser, model: ModelControl) -> None:
    job = console.job(job_that_hangs(user, model))
    wait_until(lambda: len(user.job(job.id)["text"]) > 200)
    job.until_text(200)
    expect(job.state).to_have_text("Generate suggestions …")
    expect(job.cards.first).to_be_visible()
    audit(console.tab, "job-live")


def test_a_page_that_is_reloaded_in_mid_stream_shows_all_of_the_text(console: Console, user: ApiUser) -> None:
    job = console.job(user.new_job(SLOW))
    job.until_text(50)
    console.page.reload()
    job.until_text(100)
    assert job.text.startswith('{"suggestions"')
    job.is_complete()


def test_two_tabs_are_in_step(console: Console, user: ApiUser, new_tab: Callable[[], Tab]) -> None:
    job_id = user.new_job(SLOW)
    first, second = console.job(job_id), Console(new_tab(), user).job(job_id)
    for least in (100, 400, 800):
        for page in (first, second):
            page.until_text(least)
        one, other = sorted([first.text, second.text], key=len)
        assert other.startswith(one)
    assert first.is_complete()["text"] == second.is_complete()["text"]


def test_a_sixth_tab_is_refused_and_gets_in_when_another_is_closed(
    console: Console, user: ApiUser, new_tab: Callable[[], Tab], model: ModelControl
) -> None:
    job_id = job_that_hangs(user, model)
    tabs = [console.tab, *(new_tab() for _ in range(4))]
    for tab in tabs:
        Console(tab, user).job(job_id).until_text(100)
    sixth = Console(new_tab(), user).job(job_id)
    sixth.tab.expect_complaints("429")
    expect(sixth.problem).to_contain_text("Five live streams are open already")
    expect(sixth.problem).to_contain_text("Close another tab")
    audit(sixth.tab, "job-sixth-tab")
    tabs[1].page.close()
    again = sixth.problem.get_by_role("button", name="Try again")

    def gets_in() -> bool:
        if again.is_visible():
            again.click()
        return len(sixth.text) >= 100

    assert wait_until(gets_in)
    expect(sixth.problem).to_have_count(0)
    assert sixth.text == user.job(job_id)["text"]


def test_a_job_is_cancelled(console: Console, user: ApiUser, model: ModelControl) -> None:
    job = console.job(job_that_hangs(user, model))
    job.until_text(100)
    job.button("Cancel").click()
    assert job.ends("^Cancelled")["status"] == "cancelled"
    expect(job.button("Resume")).to_be_visible()
    expect(job.button("Cancel")).to_have_count(0)
    audit(console.tab, "job-cancelled")


def test_a_cancelled_job_is_resumed(console: Console, user: ApiUser, model: ModelControl) -> None:
    job = console.job(job_that_hangs(user, model))
    job.until_text(100)
    job.button("Cancel").click()
    job.ends("^Cancelled")
    job.button("Resume").click()
    job.is_complete()
    expect(job.happened).to_contain_text(["The job was resumed"])


def test_a_job_fails_is_resumed_and_completes(console: Console, user: ApiUser, model: ModelControl) -> None:
    """The answer does not fit and its repair is refused; once repair works, only the repair is asked for."""
    model.script(match="does not fit", times=1, status=400)
    job = console.job(user.new_job("invalid_json, token_ms=0, first_token_ms=0, times=1"))
    failed = job.ends("^Stopped$")
    assert failed["status"] == "failed"
    expect(job.problem).to_contain_text("The job has failed")
    expect(job.problem).to_contain_text("MODEL_REJECTED_REQUEST")
    audit(console.tab, "job-failed")
    job.problem.get_by_role("button", name="Resume").click()
    job.is_complete()
    expect(job.problem).to_have_count(0)
    expect(job.happened).to_contain_text(["The job was resumed", "The answer is being repaired"])
    audit(console.tab, "job-resumed")


def test_a_failed_job_that_is_opened_later_can_be_resumed(console: Console, user: ApiUser, model: ModelControl) -> None:
    model.script(match="does not fit", times=1, status=400)
    job_id = user.new_job("invalid_json, token_ms=0, first_token_ms=0, times=1")
    user.ended(job_id)
    job = console.job(job_id)
    expect(job.problem).to_contain_text("The job has failed")
    job.problem.get_by_role("button", name="Resume").click()
    job.is_complete()


def test_an_input_is_taken_over_to_a_new_job(console: Console, user: ApiUser, model: ModelControl) -> None:
    job = console.job(job_that_hangs(user, model))
    job.until_text(1)
    job.button("Cancel").click()
    old = job.ends("^Cancelled")
    job.button("New job with this input").click()
    expect(console.page.get_by_label("Page or component")).to_have_value(old["input"]["pageOrComponent"])
    console.page.get_by_role("button", name="Suggest features").click()
    new = job.is_complete()
    assert new["jobId"] != old["jobId"]
    assert new["input"] == old["input"]


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalStack]:
    """Every function in a process of its own, which can be killed alone."""
    with LocalStack("processes") as running:
        yield running


def test_a_stage_that_is_killed_in_mid_stream_begins_again_and_says_so(tab: Tab, processes: LocalStack) -> None:
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


def test_a_server_that_is_restarted_is_found_again(console: Console, user: ApiUser, stack: LocalStack) -> None:
    job = console.job(user.new_job(SLOW))
    job.until_text(50)
    console.tab.expect_complaints("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    with stack.down("stream"):
        expect(job.state).to_have_text("Connection lost. Coming back …")
        console.tab.picture("job-connection-lost")
    job.is_complete()
    expect(job.happened).to_have_count(0)


def test_an_api_that_is_restarted_takes_the_sign_in_of_before(
    console: Console, user: ApiUser, stack: LocalStack
) -> None:
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
    """Chromium's emulation refuses new connections and spares open ones, so the open one is cut at its other end."""
    job = console.job(user.new_job("token_ms=20, first_token_ms=0"))
    job.until_text(50)
    console.tab.expect_complaints("ERR_INTERNET_DISCONNECTED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    console.tab.offline(on=True)
    with stack.down("stream"):
        expect(job.state).to_have_text("Connection lost. Coming back …")
    seen = job.text
    wait_until(lambda: len(user.job(job.id)["text"]) > len(seen) + 200)
    assert job.text == seen
    console.tab.offline(on=False)
    job.until_text(len(seen) + 200)
    job.is_complete()
    expect(job.happened).to_have_count(0)


def test_connections_that_end_every_second_are_not_seen(tab: Tab, hurried_user: ApiUser) -> None:
    job = Console(tab, hurried_user).job(hurried_user.new_job("token_ms=10, first_token_ms=0"))
    expect(job.state).to_have_text("Complete")
    titles = job.cards.get_by_role("heading", level=3).all_text_contents()
    assert len(titles) == 3
    expect(job.problem).to_have_count(0)


def test_what_the_model_writes_is_never_more_than_text(console: Console, user: ApiUser, model: ModelControl) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    name = f"{evil} {uuid.uuid4().hex}"
    suggestion = {
        "title": f"{evil}",
        "rationale": f"{evil} because",
        "description": f"{evil} [click](javascript:alert(1))",
        "implementationConsiderations": [evil],
    }
    model.script(match=name, times=1, text=json.dumps({"suggestions": [suggestion] * 3}), token_ms=0)
    job = console.job(data_of(user.create(pageOrComponent=name), 202)["jobId"])
    job.is_complete()
    expect(console.page.get_by_role("heading", level=1)).to_have_text(name)
    assert job.page.locator("main img, main script").count() == 0
    assert job.page.title() == f"{name} · Millrace"


def test_a_job_of_somebody_else_and_one_that_is_gone_are_told_apart(
    console: Console, new_user: Callable[[], ApiUser]
) -> None:
    console.tab.expect_complaints("40[34]")
    theirs = console.job(new_user().new_job(AT_ONCE))
    expect(theirs.problem).to_contain_text("This belongs to somebody else")
    gone = console.job(f"job_{'0' * 26}")
    expect(gone.problem).to_contain_text("This is not there any more")
    audit(console.tab, "job-gone")


def test_copies_are_markdown_and_downloads_the_stored_result(console: Console, user: ApiUser) -> None:
    job_id = user.new_job(AT_ONCE)
    result = user.ended(job_id)["result"]
    job = console.job(job_id)
    console.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.page.get_by_role("button", name=re.compile("^Copy all")).click()
    expect(console.page.get_by_text("Copied")).to_be_visible()
    copied = console.tab.evaluate("navigator.clipboard.readText()")
    assert [line for line in copied.splitlines() if line.startswith("## ")] == [
        f"## {suggestion['title']}" for suggestion in result["suggestions"]
    ]
    with console.page.expect_download() as download:
        job.button("Download").click()
    assert json.loads(download.value.path().read_text()) == result
    assert download.value.suggested_filename == f"{job_id}.json"
