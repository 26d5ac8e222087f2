"""A job in the console: started, cancelled, failed or resumed, the page ends with the text of the API."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable

from playwright.sync_api import Route, expect

from local.model.control import ModelControl
from tests.api_user import AT_ONCE, ApiUser, data_of, wait_until
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.scripts import job_that_hangs


def test_a_user_signs_in_creates_a_job_and_gets_its_result(console: Console) -> None:
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
    console.page.set_viewport_size(size or {"width": 1280, "height": 720})


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
    """The output is invalid and its repair fails; after the resume, only the repair is requested again."""
    model.script(match="does not fit", times=1, status=400)
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
    job.is_complete()
    expect(job.problem).to_have_count(0)
    expect(job.happened).to_contain_text(["The job was resumed", "output is being repaired"])
    audit(console.tab, "job-resumed")


def test_a_failed_job_can_be_resumed_later(console: Console, user: ApiUser, model: ModelControl) -> None:
    model.script(match="does not fit", times=1, status=400)
    job_id = user.new_job("invalid_json, token_ms=0, first_token_ms=0, times=1")
    user.ended(job_id)
    job = console.job(job_id)
    expect(job.problem).to_contain_text("The job has failed")
    job.problem.get_by_role("button", name="Resume").click()
    job.is_complete()


def test_a_new_job_can_start_with_the_input_of_another(console: Console, user: ApiUser, model: ModelControl) -> None:
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
    assert job.page.title() == f"✓ {title} · Millrace"


def test_a_job_of_another_user_and_a_missing_job_have_different_errors(
    console: Console, new_user: Callable[[], ApiUser]
) -> None:
    console.tab.expect_complaints("40[34]")
    theirs = console.job(new_user().new_job(AT_ONCE))
    expect(theirs.problem).to_contain_text("Another user owns this")
    gone = console.job(f"job_{'0' * 26}")
    expect(gone.problem).to_contain_text("Not found")
    audit(console.tab, "job-gone")


def test_the_copy_is_markdown_and_the_download_is_the_stored_result(console: Console, user: ApiUser) -> None:
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
