"""Upload, ask, edit, undo and export a workbook in Chromium: `tests.bench.sheet_files` runs this in .venv-browser.

It prints the seconds of each step as JSON. Arguments: the URL of the stack, the name of the user, the file, the path
of the export, and how many seconds a step may take.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.bench.sheet_values import CHANGED, QUESTION
from tests.browser import chromium


def main() -> None:
    """Do all steps and print their seconds."""
    url, name, file, exported, patience = sys.argv[1:]
    with sync_playwright() as playwright, chromium.launched(playwright) as browser:
        page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 900})
        page.set_default_timeout(float(patience) * 1000)
        expect.set_options(timeout=float(patience) * 1000)
        _sign_in(page, url, name)
        print(json.dumps(_life(page, Path(file), Path(exported))))  # noqa: T201 - the other process reads it


def _sign_in(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/console/sheets")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_label("Who are you?").fill(name)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("banner").get_by_role("button", name=name)).to_be_visible()


def _life(page: Page, file: Path, exported: Path) -> dict[str, float]:
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def done(step: str) -> None:
        nonlocal began
        seconds[step] = time.monotonic() - began
        began = time.monotonic()

    page.locator("#workbook").set_input_files(file)
    page.wait_for_url("**/console/sheets/ses_*")
    expect(page.get_by_text("Active", exact=True)).to_be_visible()
    expect(_cell(page)).to_have_text("2.5")
    done("dropped to ACTIVE and shown")
    conversation = page.get_by_role("list", name="Conversation").get_by_role("listitem")
    page.get_by_label("Message", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Send").click()
    expect(conversation).to_have_count(2)
    done("question and answer")
    _edit(page)
    done("edit shown")
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(_cell(page)).to_have_text("2.5")
    done("undo shown")
    _edit(page)
    began = time.monotonic()
    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog", name="Export the workbook")
    dialog.get_by_role("button", name="As XLSX").click()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    download.value.save_as(exported)
    done("export as XLSX and download")
    return seconds


def _edit(page: Page) -> None:
    _cell(page).click()
    page.keyboard.type(str(CHANGED))
    page.keyboard.press("Enter")
    expect(_cell(page)).to_have_text(str(CHANGED))


def _cell(page: Page) -> Locator:
    return page.locator('.ag-row[row-index="1"] [col-id="c2"]').first


if __name__ == "__main__":
    main()
