"""The console's forms: their rules, refusals shown at the field, and use with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.api_user import AT_ONCE, ApiUser
from tests.browser.audit import audit
from tests.browser.console import Console, JobPage, shown_briefly

_FOCUSED = """() => {
  const at = document.activeElement;
  return (at.labels?.[0] ?? at).textContent.trim() || at.getAttribute('aria-label');
}"""


def tab_to(page: Page, name: str) -> None:
    """Press the Tab key until the element with this name has the focus."""
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(_FOCUSED))
        if (seen[-1] or "").startswith(name):
            return
    raise AssertionError(f"{name} does not get the focus; these elements do: {seen}")


def test_a_job_is_created_watched_and_cancelled_with_the_keyboard_alone(console: Console, user: ApiUser) -> None:
    page = console.page
    console.open("/console/jobs")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    tab_to(page, "Create")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Suggest features")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Create")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Suggest features")).to_be_focused()
    tab_to(page, "Page or component")
    page.keyboard.type("Checkout")
    tab_to(page, "Kind of feature")
    page.keyboard.press("ArrowDown")
    tab_to(page, "Medium")
    page.keyboard.press("ArrowRight")
    tab_to(page, "Additional context")
    page.keyboard.type("[[script: token_ms=1, first_token_ms=0, hang_after=60]]")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=1, name="Checkout")).to_be_focused()
    job = JobPage(console)
    job.until_text(100)
    tab_to(page, "Cancel")
    page.keyboard.press("Space")
    made = job.ends("^Cancelled")
    assert (made["input"]["featureType"], made["input"]["priorityLevel"]) == ("new-capability", "high")


def test_a_field_that_breaks_its_rule_is_marked_and_keeps_its_text(console: Console) -> None:
    page = console.page
    console.open("/console/suggest")
    audit(console.tab, "suggest-form")
    send = page.get_by_role("button", name="Suggest features")
    send.click()
    field = page.get_by_label("Page or component")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("What the suggestions are for. Enter a text for “Page or component”.")
    audit(console.tab, "suggest-refused")
    field.fill("Checkout")
    expect(field).not_to_have_attribute("aria-invalid", "true")

    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(field).to_have_value("Checkout")
    tab_to(page, "Page or component")

    field.fill("x" * 201)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("201 / 200")).to_be_visible()
    send.click()
    expect(field).to_be_focused()
    expect(page.get_by_text("“Page or component” has 201 characters; 200 is the maximum.")).to_be_visible()
    the_header_covers_no_focused_field(page)
    field.blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def the_header_covers_no_focused_field(page: Page) -> None:
    """The header, which stays at the top of the window, does not cover the field that gets the focus, nor its label."""
    field = page.get_by_label("Page or component")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.keyboard.press("Tab")
    field.evaluate("field => scrollBy(0, field.getBoundingClientRect().top - 5)")
    page.keyboard.press("Shift+Tab")
    expect(field).to_be_focused()
    label = page.get_by_text("Page or component", exact=True).bounding_box()
    header = page.get_by_role("banner").bounding_box()
    assert label is not None
    assert header is not None
    assert label["y"] >= header["y"] + header["height"]


def test_the_user_asks_for_the_erasure_of_all_data(console: Console, user: ApiUser) -> None:
    page = console.page
    user.ended(user.new_job())
    console.open("/console/jobs")
    page.get_by_role("banner").get_by_role("button", name=user.name).click()
    page.get_by_role("link", name="Your data").click()
    audit(console.tab, "data")
    page.get_by_role("button", name="Erase my data").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase everything").click()
    # How the erasure ends is tested over HTTP: it waits before it looks again.
    expect(page.get_by_role("heading", level=1, name="Erasure of your data")).to_be_visible()
    expect(page.get_by_role("row", name="Jobs with their input, events")).to_be_visible()


def test_an_agent_is_created_changed_used_by_a_job_and_deleted(console: Console, user: ApiUser) -> None:
    page = console.page
    console.open("/console/agents/new")
    page.get_by_label("Name").fill("Terse")
    page.get_by_label("Instructions").fill("One sentence per text.")
    audit(console.tab, "agent-new")
    page.get_by_role("button", name="Create agent").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Terse")
    page.get_by_label("Temperature").fill("0.5")
    with shown_briefly(page, "Saved as version 2."):
        page.get_by_role("button", name="Save").click()
    audit(console.tab, "agent")
    agent_id = page.url.rpartition("/")[2]
    user.api.patch(f"/agents/{agent_id}", json={"instructions": "Two sentences.", "version": 2}).raise_for_status()
    page.get_by_label("Instructions").fill("Three sentences.")
    console.tab.expect_complaints("409")
    page.get_by_role("button", name="Save").click()
    card = page.get_by_role("alert")
    expect(card.get_by_role("row", name="Instructions")).to_contain_text("Two sentences.Three sentences.")
    audit(console.tab, "agent-conflict")
    card.get_by_role("button", name="Use my form after version 3").click()
    expect(page.get_by_label("Instructions")).to_have_value("Three sentences.")
    with shown_briefly(page, "Saved as version 4."):
        page.get_by_role("button", name="Save").click()

    console.open("/console/suggest")
    page.get_by_text("Model and agent").click()
    page.get_by_label("Agent").select_option(label="Terse")
    page.get_by_label("Page or component").fill("Checkout")
    page.get_by_label("Additional context").fill(f"[[script: {AT_ONCE}]]")
    page.get_by_role("button", name="Suggest features").click()
    page.wait_for_url("**/console/jobs/job_*")
    assert JobPage(console).is_complete()["agent"]["version"] == 4
    page.get_by_role("link", name="version 4").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("No agents yet.")).to_be_visible()


def test_a_list_is_live_acts_on_selected_jobs_and_keeps_its_filter(console: Console, user: ApiUser) -> None:
    done, failed = user.new_job(), user.new_job("status=400")
    for job_id in (done, failed):
        user.ended(job_id)
    console.open("/console/jobs")
    page = console.page
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(3)
    rows_are_dense_and_mirrored(page)
    filters_are_one_row(page)
    the_list_fits_a_phone(page)
    audit(console.tab, "jobs")

    hanging = user.new_job("hang_after=0")
    expect(rows.filter(has_text=hanging)).to_be_visible()
    console.tab.expect_complaints("409")
    page.get_by_label("Select all jobs that are shown").check()
    page.get_by_role("button", name="Cancel selected").click()
    expect(page.get_by_text("1 cancelled, 2 not cancelled:")).to_be_visible()
    expect(rows.filter(has_text=hanging)).to_contain_text("Cancelled")
    page.get_by_role("searchbox", name="Search").fill("no such subject")
    expect(page.get_by_text("No jobs match search")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(rows).to_have_count(4)

    page.get_by_label("Status").select_option(label="Failed")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text(failed)
    page.reload()
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("MODEL_REJECTED_REQUEST")


def rows_are_dense_and_mirrored(page: Page) -> None:
    """Rows have 40 pixels, no column but the first is cut, and columns begin at the right where texts do."""
    rows, heads = ".list tbody tr", ".list thead th"
    heights = page.eval_on_selector_all(rows, "rows => rows.map((row) => row.getBoundingClientRect().height)")
    assert set(heights) == {40}
    cut = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)"
    assert page.eval_on_selector_all(".list :is(thead th, td)", cut) == []
    places = "cells => cells.map((cell) => cell.getBoundingClientRect().x)"
    begins = page.eval_on_selector_all(heads, places)
    assert begins == sorted(begins)
    page.evaluate("document.documentElement.dir = 'rtl'")
    mirrored = page.eval_on_selector_all(heads, places)
    page.evaluate("document.documentElement.removeAttribute('dir')")
    assert mirrored == sorted(mirrored, reverse=True)


def filters_are_one_row(page: Page) -> None:
    boxes = boxes_of(page, ".filters :is(input, select)")
    assert len({(box["y"], box["height"]) for box in boxes}) == 1, boxes


def the_list_fits_a_phone(page: Page) -> None:
    """At 390 pixels, the user is beside the brand, the search has a row, and a checkbox is beside its item's name."""
    size = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    brand, user = boxes_of(page, ".brand, .user")
    assert user["y"] < brand["y"] + brand["height"]
    search, *selects = boxes_of(page, ".filters :is(input, select)")
    assert search["width"] > 2 * selects[0]["width"]
    checkbox, name = boxes_of(page, ".list tbody tr:first-child :is([type=checkbox], th)")
    assert checkbox["x"] + checkbox["width"] <= name["x"]
    assert checkbox["y"] < name["y"] + name["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size(size or {"width": 1280, "height": 900})


def boxes_of(page: Page, selector: str) -> list[dict[str, float]]:
    """Return the boxes of the elements, in their order in the document."""
    script = "found => found.map((each) => each.getBoundingClientRect().toJSON())"
    boxes: list[dict[str, float]] = page.eval_on_selector_all(selector, script)
    return boxes


def test_another_user_can_sign_in_after_a_sign_out(
    console: Console, user: ApiUser, new_user: Callable[[], ApiUser]
) -> None:
    console.open("/console/jobs")
    console.page.get_by_role("banner").get_by_role("button", name=user.name).click()
    console.page.get_by_role("button", name="Sign out").click()
    expect(console.page.get_by_role("main").get_by_role("button", name="Sign in")).to_be_visible()
    other = Console(console.tab, new_user())
    other.open_signed_out("/console/jobs")
    expect(console.page.get_by_role("banner")).to_contain_text(other.user.name)
    audit(console.tab, "jobs-none")
