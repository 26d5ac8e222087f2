"""The console's pages of webhooks: create one, see its secret once, test it, send its events again, stop it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shared.webhooks.signature import signed_headers
from tests.browser.audit import audit
from tests.browser.console import Console, shown_briefly
from tests.webhooks.receiver import OK, Receiver, answering


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts every request."""
    with Receiver(answering(OK)).serving() as started:
        yield started


def headers_and_body(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value for name, value in lines}, body


def is_signed_with(secret: str, request: bytes) -> bool:
    headers, body = headers_and_body(request)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = signed_headers([key], headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    return expected["webhook-signature"] in headers["webhook-signature"].split(" ")


def confirm(page: Page, label: str, yes: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=yes).click()


def test_a_webhook_is_created_tested_replayed_rotated_stopped_and_deleted(console: Console, receiver: Receiver) -> None:
    console.tab.expect_complaints("status of (409|422)")
    page = console.page
    console.open("/console/webhooks")
    expect(page.get_by_text("No webhooks yet.")).to_be_visible()
    page.get_by_role("link", name="New webhook").click()
    url = page.get_by_label("URL")
    url.fill("http://10.0.0.1/hook")
    page.get_by_label("Description").fill("The shop")
    page.get_by_role("button", name="Create webhook").click()
    expect(page.get_by_text("Must begin with https://")).to_be_visible()
    expect(url).to_be_focused()
    audit(console.tab, "webhook-refused")

    url.fill(f"http://127.0.0.1:{receiver.port}/hook")
    page.get_by_label("Failed").uncheck()
    page.get_by_role("button", name="Create webhook").click()
    expect(page.get_by_role("heading", level=1, name="Webhook created")).to_be_focused()
    secret = page.locator("code").inner_text()
    audit(console.tab, "webhook-created")
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", level=1, name="The shop")).to_be_visible()
    expect(page.get_by_label("Completed")).to_be_checked()
    expect(page.get_by_label("Failed")).not_to_be_checked()
    expect(page.get_by_text(secret)).to_have_count(0)

    page.get_by_role("button", name="Send test event").click()
    delivery = page.get_by_role("row").filter(has_text="webhook.test")
    expect(delivery).to_contain_text("Delivered")
    expect(delivery).to_contain_text("1, latest: 200")
    assert is_signed_with(secret, receiver.requests[0])
    delivery.get_by_text("1, latest").click()
    audit(console.tab, "webhook")

    confirm(page, "Rotate secret", "Rotate it")
    expect(page.get_by_text("version 2, version 1 until")).to_be_visible()
    second = page.locator("code").inner_text()
    assert second != secret
    delivery.get_by_role("button", name="Replay").click()
    expect(delivery).to_contain_text("2, latest: 200")
    first, replayed = receiver.requests
    assert headers_and_body(replayed)[1] == headers_and_body(first)[1]
    assert headers_and_body(replayed)[0]["webhook-id"] == headers_and_body(first)[0]["webhook-id"]
    assert is_signed_with(secret, replayed)
    assert is_signed_with(second, replayed)

    confirm(page, "Disable", "Disable it")
    expect(page.get_by_text("You have disabled it")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("alert")).to_contain_text("enable it first")
    confirm(page, "Enable", "Enable it")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("0 events are sent again")).to_be_attached()

    confirm(page, "Delete", "Delete it")
    expect(page.get_by_text("No webhooks yet.")).to_be_visible()


def test_the_settings_of_a_webhook_are_changed_unless_somebody_else_has_changed_them(console: Console) -> None:
    console.tab.expect_complaints("status of 409")
    webhook_id = console.user.new_webhook(description="The shop")
    page = console.page
    console.open(f"/console/webhooks/{webhook_id}")
    page.get_by_label("Pipelines").fill("suggestion")
    page.get_by_label("Result, up to 16 kB").check()
    with shown_briefly(page, "The webhook is saved"):
        page.get_by_role("button", name="Save").click()
    stored = console.user.api.get(f"/webhooks/{webhook_id}").json()["data"]
    assert (stored["pipelines"], stored["include"], stored["version"]) == (["suggestion"], ["result"], 2)

    console.user.api.patch(f"/webhooks/{webhook_id}", json={"description": "The other shop"})
    page.get_by_label("Description").fill("Mine")
    page.get_by_role("button", name="Save").click()
    conflict = page.get_by_role("alert")
    expect(conflict).to_contain_text("Version 3 was saved")
    expect(conflict.get_by_role("row").filter(has_text="Description")).to_contain_text("The other shop")
    audit(console.tab, "webhook-conflict")
    conflict.get_by_role("button", name="Load version 3").click()
    expect(page.get_by_label("Description")).to_have_value("The other shop")
