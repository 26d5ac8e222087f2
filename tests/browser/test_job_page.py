"""A job in the console: started, cancelled, failed or resumed, the page ends with the text of the API."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from local.model.control import ModelControl
from tests.api_user import AT_ONCE, ApiUser, data_of, wait_until
from tests.browser.audit import audit
from tests.browser.console import Console, JobPage, shown_briefly
from tests.browser.scripts import job_that_hangs


def test_a_user_signs_in_creates_a_job_and_gets_its_result(console: Console) -> None:
    urls: list[str] = []
    console.page.on("request", lambda request: urls.append(request.url))
    console.page.on("framenavigated", lambda frame: urls.append(frame.url))
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
    expect(console.page.get_by_role("region", name="Statistics")).to_contain_text(f"{made['usage']['outputTokens']}")
    audit(console.tab, "job-complete")
    the_copy_is_markdown_and_the_download_is_the_result(job, made["result"])
    no_address_contains_a_token(console, urls)


def the_copy_is_markdown_and_the_download_is_the_result(job: JobPage, result: dict[str, Any]) -> None:
    job.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with shown_briefly(job.page, "Copied"):
        job.page.get_by_role("button", name=re.compile("^Copy all")).click()
    copied = job.tab.evaluate("navigator.clipboard.readText()")
    assert [line for line in copied.splitlines() if line.startswith("## ")] == [
        f"## {suggestion['title']}" for suggestion in result["suggestions"]
    ]
    with job.page.expect_download() as download:
        job.button("Download").click()
    assert json.loads(download.value.path().read_text()) == result
    assert download.value.suggested_filename == f"{job.id}.json"


def no_address_contains_a_token(console: Console, urls: list[str]) -> None:
    tokens = console.tab.evaluate("Object.values(JSON.parse(sessionStorage.getItem('millrace.tokens')))")
    secrets = [token for token in tokens if isinstance(token, str)]
    assert len(secrets) == 3
    assert not [url for url in urls if any(secret in url for secret in secrets)]


def test_the_text_grows_while_the_model_writes(console: Console, user: ApiUser, model: ModelControl) -> None:
    job = console.job(job_that_hangs(user, model))
    wait_until(lambda: len(user.job(job.id)["text"]) > 200)
    job.until_text(200)
    expect(job.state).to_have_text("Generate suggestions…")
    expect(job.cards.first).to_be_visible()
    audit(console.tab, "job-live")

    size = console.page.viewport_size
    console.page.set_viewport_size({"width": 1280, "height": 360})
    console.page.reload()  # a reader above the end is asked, and not moved
    job.until_text(200)
    jump = job.button("Jump to latest")
    expect(jump).to_be_visible()
    jump.click()
    expect(jump).to_have_count(0)
    expect(console.page.locator("summary", has_text="Model output")).to_be_in_viewport()
    expect(job.state).to_be_in_viewport()  # it is sticky, and so is Cancel
    assert console.page.evaluate("scrollY") > 100
    the_sticky_state_covers_no_focused_row(console.page)
    console.page.set_viewport_size(size or {"width": 1280, "height": 720})


def the_sticky_state_covers_no_focused_row(page: Page) -> None:
    """Not on a phone either, nor while the state is higher, as with a problem."""
    state, row = page.locator(".live"), page.get_by_role("region", name="Timeline").get_by_role("button").nth(1)
    state.evaluate("state => { state.style.minHeight = '15rem'; }")
    for width, top in ((1280, 72), (375, 12)):
        page.set_viewport_size({"width": width, "height": 600})
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        row.focus()
        page.keyboard.press("Tab")
        row.evaluate("row => scrollBy(0, row.getBoundingClientRect().top - 100)")
        page.keyboard.press("Shift+Tab")
        expect(row).to_be_focused()
        covering, covered = state.bounding_box(), row.bounding_box()
        assert covering is not None
        assert covered is not None
        assert covering["y"] == top
        assert covered["y"] >= covering["y"] + covering["height"]


def test_a_job_is_cancelled_resumed_and_created_again(console: Console, user: ApiUser, model: ModelControl) -> None:
    job = console.job(job_that_hangs(user, model))
    job.until_text(100)
    debug = console.page.get_by_role("region", name="Debugging")
    stage = debug.get_by_role("row").filter(has_text="Generate suggestions")
    expect(stage).to_contain_text("running")
    expect(debug.get_by_role("rowheader", name="Model output")).to_be_visible()
    for text in ("Elapsed", "Retries left"):
        expect(debug).to_contain_text(text)
    job.button("Cancel").click()
    assert job.ends("^Cancelled")["status"] == "cancelled"
    expect(stage).to_contain_text("cancelled")
    expect(debug).to_contain_text("Duration")
    expect(job.button("Resume")).to_be_visible()
    expect(job.button("Cancel")).to_have_count(0)
    audit(console.tab, "job-cancelled")
    job.button("Resume").click()
    old = job.is_complete()
    expect(job.happened).to_contain_text(["The job was resumed"])

    job.button("New job with this input").click()
    expect(console.page.get_by_label("Page or component")).to_have_value(old["input"]["pageOrComponent"])
    console.page.get_by_role("button", name="Suggest features").click()
    console.page.wait_for_url(re.compile(r"/console/jobs/job_\w+$"))
    new = job.is_complete()
    assert new["jobId"] != old["jobId"]
    assert new["input"] == old["input"]


def test_a_job_fails_is_resumed_and_completes(console: Console, user: ApiUser, model: ModelControl) -> None:
    """The output is invalid and two repairs fail; each resume requests only the repair again, the second one later."""
    model.script(match="does not fit", times=2, status=400)
    job = console.job(user.new_job("invalid_json, token_ms=0, first_token_ms=0, times=1"))
    failed = job.ends("^Failed$")
    assert failed["status"] == "failed"
    expect(job.problem).to_contain_text("The job has failed")
    expect(job.problem).to_contain_text("MODEL_REJECTED_REQUEST")
    code = job.problem.locator("dt", has_text="Code").bounding_box()
    value = job.problem.locator("dd").first.bounding_box()
    assert code is not None
    assert value is not None
    assert value["x"] - code["x"] < 150, "the value is far from its label"
    audit(console.tab, "job-failed")
    job.problem.get_by_role("button", name="Resume").click()
    expect(job.happened).to_contain_text(["The job was resumed", "output is being repaired"])
    assert job.ends("^Failed$")["status"] == "failed"

    console.page.reload()
    expect(job.problem).to_contain_text("The job has failed")
    job.problem.get_by_role("button", name="Resume").click()
    job.is_complete()
    expect(job.problem).to_have_count(0)
    expect(job.happened).to_contain_text(["The job was resumed", "output is being repaired"])
    audit(console.tab, "job-resumed")


def test_markup_from_the_model_is_shown_as_text(console: Console, user: ApiUser, model: ModelControl) -> None:
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
    title = job.is_complete()["title"]
    assert title.startswith(evil[:70])
    expect(console.page.get_by_role("heading", level=1)).to_have_text(title)
    assert job.page.locator("main img, main script").count() == 0
    expect(job.page).to_have_title(f"✓ {title} · Millrace")


def test_a_job_of_another_user_and_a_missing_job_have_different_errors(
    console: Console, new_user: Callable[[], ApiUser]
) -> None:
    console.tab.expect_complaints("40[34]")
    theirs = console.job(new_user().new_job(AT_ONCE))
    expect(theirs.problem).to_contain_text("Another user owns this")
    gone = console.job(f"job_{'0' * 26}")
    expect(gone.problem).to_contain_text("Not found")
    audit(console.tab, "job-gone")


def test_a_job_of_an_unknown_pipeline_has_its_own_name_and_its_result_as_json(console: Console, user: ApiUser) -> None:
    job_id = user.new_job(AT_ONCE)
    user.ended(job_id)
    result = {"lines": ["An old silent pond"]}
    subtasks = [
        {"type": "subtask", "key": "a", "title": "Look at the pond", "status": "finished", "progress": None},
        {"type": "subtask", "key": "b", "title": "Count <b>syllables</b>", "status": "failed", "progress": 40},
    ]

    def respond(route: Route) -> None:
        envelope = route.fetch().json()
        envelope["data"] |= {"pipeline": "haiku", "title": None, "input": {"topic": "ponds"}, "result": result}
        envelope["data"] |= {"subtasks": subtasks}
        route.fulfill(json=envelope)

    console.page.route(f"{user.stack.api_url}/jobs/{job_id}", respond)
    console.job(job_id)
    expect(console.page.get_by_role("heading", level=1)).to_have_text("Haiku")
    shown = console.page.get_by_role("region", name="Result as JSON")
    expect(shown).to_contain_text("An old silent pond")
    assert json.loads(shown.text_content() or "") == result
    expect(console.page.get_by_role("button", name="New job with this input")).to_have_count(0)
    rows = console.page.get_by_role("region", name="Tools and subtasks").get_by_role("listitem")
    expect(rows).to_have_text([re.compile("Look at the pond.*done"), re.compile("Count <b>syllables</b>.*failed.*40%")])
    audit(console.tab, "job-unknown-pipeline")
