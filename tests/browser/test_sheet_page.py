"""The page of a workbook: dropped, shown, edited, asked about, undone and exported, in one tab and in two."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

from tests.api_user import ApiUser
from tests.apps.sheets.requests import active_session, get_session
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.tab import Tab

ROWS = ["region,units,price", *(f"{['North', 'South'][i % 2]},{i},{i}.5" for i in range(1, 41))]
CSV = "\n".join(ROWS).encode()


class SheetPage:
    """The page of one session in a tab."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.page = console.page
        self.formula = self.page.get_by_label("Formula or value of the cell")
        self.conversation = self.page.get_by_role("list", name="Conversation").get_by_role("listitem")
        self.undo = self.page.get_by_role("button", name="Undo", exact=True).first

    def cell(self, row: int, column: str) -> Locator:
        number = ord(column) - ord("A") + 1
        return self.page.locator(f'.ag-row[row-index="{row - 1}"] [col-id="c{number}"]').first

    def write(self, row: int, column: str, text: str) -> None:
        """Type a text into a cell."""
        self.cell(row, column).click()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def ask(self, text: str) -> None:
        """Send a message and wait for its answer."""
        before = self.conversation.count()
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.get_by_role("button", name="Send").click()
        expect(self.conversation).to_have_count(before + 2)


def drop(page: Page, name: str, media_type: str, content: bytes) -> None:
    page.locator("#workbook").set_input_files({"name": name, "mimeType": media_type, "buffer": content})


def test_a_file_that_cannot_be_read_says_why_and_another_is_shown_edited_and_undone(console: Console) -> None:
    console.open("/console/sheets")
    page = console.page
    audit(console.tab, "sheets-empty")
    drop(page, "old.xlsx", "application/vnd.ms-excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 64)
    page.wait_for_url("**/console/sheets/ses_*")
    expect(page.get_by_text("without a password")).to_be_visible()

    drop(page, "sales.csv", "text/csv", CSV)
    sheet = SheetPage(console)
    expect(sheet.cell(2, "A")).to_have_text("South")
    expect(page.get_by_text("Active", exact=True)).to_be_visible()
    audit(console.tab, "sheet")

    sheet.cell(2, "B").click()
    expect(sheet.formula).to_have_value("1")
    page.keyboard.type("=C2*2")
    page.keyboard.press("Enter")
    expect(sheet.cell(2, "B")).to_have_text("3")
    sheet.cell(3, "A").click()
    expect(sheet.formula).to_have_value("North")
    sheet.formula.fill("00123")
    sheet.formula.press("Enter")
    expect(sheet.cell(3, "A")).to_have_text("00123")
    for row, column, text in [(3, "A", "North"), (2, "B", "1")]:
        sheet.undo.click()
        expect(sheet.cell(row, column)).to_have_text(text)
    expect(sheet.undo).to_be_disabled()
    page.get_by_role("button", name="Redo").click()
    expect(sheet.cell(2, "B")).to_have_text("3")


def test_two_tabs_show_answers_edits_and_the_end_and_one_exports(
    console: Console, user: ApiUser, new_tab: Callable[[], Tab]
) -> None:
    session_id = active_session(user, CSV)["sessionId"]
    console.open(f"/console/sheets/{session_id}")
    first, page = SheetPage(console), console.page
    expect(first.cell(1, "A")).to_have_text("region")
    answers_change_the_workbook(first)

    other = Console(new_tab(), user)
    other.open(f"/console/sheets/{session_id}")
    second = SheetPage(other)
    expect(second.cell(2, "A")).to_have_text("South")
    first.write(2, "A", "West")
    expect(second.cell(2, "A")).to_have_text("West")
    assert exported(page) == [ROWS[0], "West,1,1.5", *ROWS[2:]]
    an_export_waits_for_an_edit(first)

    page.get_by_role("button", name="Close", exact=True).first.click()
    page.get_by_role("dialog", name="Close this workbook?").get_by_role("button", name="Close it").click()
    for each in (page, other.page):
        expect(each.get_by_text("This workbook is closed.")).to_be_visible()
    assert get_session(user, session_id)["state"] == "CLOSED"


def answers_change_the_workbook(sheet: SheetPage) -> None:
    """An answer is shown; another one adds a column, which one click takes back."""
    sheet.ask("What is the total of units by region?")
    expect(sheet.conversation.last).to_contain_text("420")
    sheet.ask("Add a column Revenue = units * price")
    expect(sheet.cell(1, "D")).to_have_text("Revenue")
    expect(sheet.cell(3, "D")).to_have_text("5")
    expect(sheet.cell(3, "D")).to_have_class(re.compile("cell-changed"))
    audit(sheet.console.tab, "sheet-changed")
    sheet.page.locator(".changes").get_by_role("button", name="Undo").click()
    for row in (1, 3):
        expect(sheet.cell(row, "D")).to_have_text("")


def exported(page: Page) -> list[str]:
    """Export the workbook as CSV; return the lines of the file."""
    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog", name="Export the workbook")
    dialog.get_by_role("button", name="As CSV").click()
    return downloaded(dialog)


def downloaded(dialog: Locator) -> list[str]:
    with dialog.page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    lines: list[str] = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    dialog.page.keyboard.press("Escape")
    return lines


def an_export_waits_for_an_edit(sheet: SheetPage) -> None:
    """The file of an export that is asked for while an edit is under way has the edit."""
    page = sheet.page
    held: list[Route] = []
    page.route("**/cells", lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_())
    with page.expect_request(lambda request: request.method == "PATCH"):
        sheet.write(2, "A", "East")
    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog", name="Export the workbook")
    dialog.get_by_role("button", name="As CSV").click()
    expect(dialog.get_by_text("Writing the file")).to_be_visible()
    held[0].continue_()
    assert downloaded(dialog)[1].startswith("East,")


def test_without_a_websocket_the_page_reads_again_and_says_so(console: Console, user: ApiUser) -> None:
    session = active_session(user, CSV)
    console.page.add_init_script("delete window.WebSocket")
    console.open(f"/console/sheets/{session['sessionId']}")
    sheet = SheetPage(console)
    expect(console.page.get_by_text("This network blocks WebSockets")).to_be_visible()
    sheet.write(2, "A", "West")
    expect(sheet.cell(2, "A")).to_have_text("West")
