"""A brainstorming run in the console: every idea is shown once, and stays after the job has expired."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.api_user import ApiUser, wait_until
from tests.apps.ideation.requests import get_run, new_run
from tests.browser.audit import audit
from tests.browser.console import Console, RunPage
from tests.browser.tab import Tab

HANGS = "token_ms=1, first_token_ms=0, hang_after=400"
"""Script of a model that writes a few ideas and part of another, and then sends nothing until the timeout."""


def test_a_form_with_faults_is_refused_and_then_makes_a_run_with_ranked_ideas(console: Console) -> None:
    console.open("/console/brainstorm")
    page = console.page
    audit(console.tab, "brainstorm-form")
    page.get_by_label("What the ideas are for").fill("mobile game")
    invalid_genres_are_marked(page)
    a_rule_of_the_server_is_shown_at_its_field(console)
    page.get_by_label("Genre 2", exact=True).fill("Fiction > Mystery > Cozy")
    page.get_by_label("Share of genre 1, in percent").fill("30")
    page.get_by_label("Share of genre 2, in percent").fill("70")
    expect(page.get_by_text("100% of 100%")).to_be_visible()
    page.get_by_label("Requirements").fill("[[script: token_ms=1, first_token_ms=0]]")
    page.get_by_role("radio", name="Ranked").check()
    page.get_by_role("button", name="Start brainstorming").click()
    page.wait_for_url("**/console/ideations/run_*")
    run = RunPage(console).is_complete()
    assert run["parameters"]["genrePaths"] == [["Puzzle"], ["Fiction", "Mystery", "Cozy"]]
    assert [share["planned"] for share in run["genres"]] == [3, 7]
    audit(console.tab, "run-ranked")


def invalid_genres_are_marked(page: Page) -> None:
    send = page.get_by_role("button", name="Start brainstorming")
    send.click()
    first = page.get_by_label("Genre 1", exact=True)
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-invalid", "true")
    group = page.get_by_role("group", name="Genres")
    expect(group).to_contain_text("Every genre needs a name")
    first.fill("Puzzle")
    page.get_by_label("Share of genre 1, in percent").fill("90")
    send.click()
    expect(group).to_contain_text("Shares must add up to 100; they add up to 90")


def a_rule_of_the_server_is_shown_at_its_field(console: Console) -> None:
    page = console.page
    console.tab.expect_complaints("422")
    page.get_by_role("button", name="Add a genre").click()
    page.get_by_label("Genre 2", exact=True).fill(" puzzle ")
    page.get_by_role("button", name="Share evenly").click()
    for number in (1, 2):
        expect(page.get_by_label(f"Share of genre {number}, in percent")).to_have_value("50")
    page.get_by_role("button", name="Start brainstorming").click()
    expect(page.get_by_role("group", name="Genres")).to_contain_text("Must contain each path once")
    audit(console.tab, "brainstorm-refused")


def test_ideas_appear_one_by_one_stay_after_a_reload_and_are_completed_after_a_cancellation(
    console: Console, user: ApiUser
) -> None:
    created = new_run(user, f"{HANGS}, times=1", arrangement="group")
    run = console.run(created["runId"])
    run.until_ideas(3)
    audit(console.tab, "run-live")
    kept = wait_until(lambda: get_run(user, run.id)["ideas"])
    console.page.reload()
    run.until_ideas(len(kept))
    expect(run.titles.and_(console.page.locator("h3"))).to_contain_text([idea["title"] for idea in kept])
    expect(run.status).to_have_text("Running")
    run.button("Cancel").click()
    expect(run.state).to_contain_text("Cancelled")
    audit(console.tab, "run-cancelled")
    run.button("Resume").click()
    assert run.is_complete()["groups"] is not None
    audit(console.tab, "run-grouped")


def test_a_retry_keeps_the_finished_ideas_and_the_run_is_deleted_after_a_confirmation(
    console: Console, user: ApiUser
) -> None:
    created = new_run(user, "token_ms=0, first_token_ms=0, pause_after=299, disconnect_after=300, times=1")
    run = console.run(created["runId"])
    run.until_ideas(1)
    user.release(created["jobId"])
    expect(run.happened).to_contain_text(["The connection to the model was lost"])
    made = run.is_complete()
    assert made["transform"]["retryCount"] == 1
    assert len(made["ideas"]) == 10

    console.open("/console/ideations")
    listed = console.page.get_by_role("table").get_by_role("row").filter(has_text=created["runId"])
    audit(console.tab, "runs")
    listed.get_by_role("link").click()
    run.button("Delete").click()
    question = console.page.get_by_role("dialog", name="Delete this run?")
    audit(console.tab, "run-delete")
    question.get_by_role("button", name="Keep it").click()
    expect(question).to_be_hidden()
    run.button("Delete").click()
    question.get_by_role("button", name="Delete it").click()
    console.page.wait_for_url("**/console/ideations")
    expect(console.page.get_by_text("No runs yet.")).to_be_visible()
    assert user.api.get(f"/ideations/{created['runId']}").status_code == 404


def test_a_failed_run_shows_why_can_be_resumed_and_gives_another_its_settings(console: Console, user: ApiUser) -> None:
    created = new_run(user, "refusal, times=1", ideaCount=2, arrangement="rank")
    user.ended(created["jobId"])
    run = console.run(created["runId"])
    expect(run.problem).to_contain_text("MODEL_REFUSED")
    expect(run.status).to_have_text("Failed")
    run.problem.get_by_role("button", name="Resume").click()
    old = run.is_complete()
    assert len(old["ideas"]) == 2

    run.button("Use these settings again").click()
    expect(console.page.get_by_label("How many ideas")).to_have_value("2")
    console.page.get_by_role("button", name="Start brainstorming").click()
    console.page.wait_for_url("**/console/ideations/run_*")
    new = run.is_complete()
    assert new["runId"] != old["runId"]
    changing = {"requestedAt"}
    assert {name: value for name, value in new["parameters"].items() if name not in changing} == {
        name: value for name, value in old["parameters"].items() if name not in changing
    }


def test_two_tabs_show_the_same_run_which_is_complete_after_its_job_has_expired(
    console: Console, user: ApiUser, new_tab: Callable[[], Tab]
) -> None:
    created = new_run(user, "token_ms=2, first_token_ms=0", arrangement="rank")
    tabs = [console.run(created["runId"]), Console(new_tab(), user).run(created["runId"])]
    for each in tabs:
        each.until_ideas(2)
    watched, other = (each.is_complete() for each in tabs)
    assert watched["ideas"] == other["ideas"]

    user.stack.expire(created["jobId"])
    console.page.reload()
    run = tabs[0]
    assert run.is_complete() == watched
    expect(run.problem).to_have_count(0)
    console.page.get_by_text("History (inputs and outputs)").click()
    expect(console.page.get_by_text("ideas.v1").first).to_be_visible()
    audit(console.tab, "run-reopened")
