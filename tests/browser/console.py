"""Page objects of the console: they find elements by text, label and role, as a user does."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as NotInTime

from tests.api_user import ApiUser
from tests.apps.ideation.requests import get_run
from tests.browser.profile import EMPTY
from tests.browser.tab import Tab
from tests.patience import PATIENCE

POLLING = 50
"""In milliseconds. By default Playwright looks at every frame of the page, which is then drawn sixty times a second."""
expect.set_options(timeout=PATIENCE * 1000)


class Console:
    """The console in one tab, used by `user`."""

    def __init__(self, tab: Tab, user: ApiUser) -> None:
        self.tab = tab
        self.page = tab.page
        self.user = user
        self._url = user.stack.api_url

    def open(self, address: str) -> None:
        """Open an address of the console. A new tab has the tokens of a user who has signed in."""
        if self.page.url == "about:blank" or self.page.url.endswith(EMPTY):
            self._keep_tokens()
        self.page.goto(self._url + address)
        self._is_signed_in(address)

    def open_signed_out(self, address: str) -> None:
        """Open an address of the console in a tab without tokens, and sign in."""
        self.page.goto(self._url + address)
        if not self.page.context.cookies():  # with the issuer's cookie, the page signs in without a form
            self.page.get_by_role("main").get_by_role("button", name="Sign in").click()
            self.sign_in()
        self._is_signed_in(address)

    def sign_in(self) -> None:
        """Fill and send the local issuer's form."""
        self.page.get_by_label("Who are you?").fill(self.user.name)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("banner").get_by_role("button", name=self.user.name)).to_be_visible()

    def _keep_tokens(self) -> None:
        """Keep tokens as `session.js` does after a sign-in, in a small document of the console's origin."""
        empty = self.user.stack.issuer_url + EMPTY
        if self.page.url != empty:
            self.page.goto(empty)
        tokens = {"access": self.user.token, "refresh": None, "id": None, "expiresAt": 1000 * (time.time() + 3600)}
        self.tab.evaluate("(tokens) => sessionStorage.setItem('millrace.tokens', tokens)", json.dumps(tokens))

    def _is_signed_in(self, address: str) -> None:
        self.page.wait_for_url(self._url + address)
        expect(self.page.get_by_role("banner").get_by_role("button", name=self.user.name)).to_be_visible()

    def job(self, job_id: str) -> JobPage:
        self.open(f"/console/jobs/{job_id}")
        return JobPage(self)

    def run(self, run_id: str) -> RunPage:
        self.open(f"/console/ideations/{run_id}")
        return RunPage(self)

    def suggest(self, **fields: str) -> JobPage:
        """Fill the form for feature suggestions and send it."""
        self.open("/console/suggest")
        self.page.get_by_label("Page or component").fill(fields["page"])
        if "kind" in fields:
            self.page.get_by_label("Kind of feature").select_option(label=fields["kind"])
        if "priority" in fields:
            self.page.get_by_role("radio", name=fields["priority"]).check()
        self.page.get_by_label("Additional context").fill(fields.get("context", ""))
        self.page.get_by_role("button", name="Suggest features").click()
        self.page.wait_for_url(re.compile(r"/console/jobs/job_\w+$"))
        return JobPage(self)


@contextmanager
def shown_briefly(page: Page, text: str) -> Iterator[None]:
    """Wait until a status of the page has had this text since the block began, even if a timer removes it meanwhile.

    The document must stay the same.
    """
    page.evaluate(_OBSERVE, text)
    yield
    page.wait_for_function("() => globalThis.hasShown", polling=POLLING)


_OBSERVE = """(text) => {
  globalThis.hasShown = false;
  const observer = new MutationObserver(() => {
    if (![...document.querySelectorAll("[role=status]")].some((each) => each.innerText.includes(text))) return;
    globalThis.hasShown = true;
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true });
}"""


class LivePage:
    """The elements that the pages of a job and of a run have in common."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tab = console.tab
        self.page = console.page
        self.state: Locator = self.page.locator(".state")
        self.problem: Locator = self.page.get_by_role("alert")
        self.happened: Locator = self.page.get_by_role("region", name="Retries and repairs").get_by_role("listitem")
        self.cards: Locator = self.page.get_by_role("region", name=re.compile("Suggestions|Ideas")).get_by_role(
            "article"
        )
        self.titles: Locator = self.cards.get_by_role("heading")

    @property
    def id(self) -> str:
        """The id in the page's address."""
        return str(self.page.url).rpartition("/")[2]

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)


class JobPage(LivePage):
    """A job of feature suggestions."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.raw: Locator = self.page.locator("pre.raw")

    @property
    def text(self) -> str:
        """The model's text, as far as the page shows it."""
        return self.raw.text_content() or ""

    def until_text(self, least: int = 1) -> None:
        """Wait until the page shows at least this many characters."""
        script = "least => (document.querySelector('pre.raw')?.textContent ?? '').length >= least"
        self.page.wait_for_function(script, arg=least, polling=POLLING)

    def ends(self, state: str) -> dict[str, Any]:
        """Wait until the page shows this state. Return the job from the API, whose text the page must show."""
        expect(self.state).to_have_text(re.compile(state))
        job = self.console.user.ended(self.id)
        self.has_text(job["text"])
        return job

    def has_text(self, text: str) -> None:
        """Check that the page shows this text of the model, or will as soon as it is drawn."""
        with contextlib.suppress(NotInTime):  # the comparison below shows the difference
            script = "text => document.querySelector('pre.raw')?.textContent === text"
            self.page.wait_for_function(script, arg=text, polling=POLLING)
        assert self.text == text

    def is_complete(self) -> dict[str, Any]:
        """Wait until the page shows the complete result. Return the job from the API."""
        job = self.ends("^Complete$")
        titles = [suggestion["title"] for suggestion in job["result"]["suggestions"]]
        expect(self.titles.and_(self.page.locator("h3"))).to_have_text(titles)
        return job


class RunPage(LivePage):
    """A brainstorming run."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.shares: Locator = self.page.get_by_role("region", name="Genres").get_by_role("listitem")
        self.status: Locator = self.page.locator(".subtitle .badge")

    def until_ideas(self, least: int) -> None:
        """Wait until the page shows at least this many ideas, including the one that the model is writing."""
        expect(self.cards.nth(least - 1)).to_be_visible()

    def is_complete(self) -> dict[str, Any]:
        """Wait until the page shows the complete run, every idea once and as arranged. Return the run from the API."""
        expect(self.status).to_have_text("Completed")
        run = get_run(self.console.user, self.id)
        title = {idea["number"]: idea["title"] for idea in run["ideas"]}
        order = list(title)
        if run["ranking"] is not None:
            order = [place["number"] for place in run["ranking"]]
        if run["groups"] is not None:
            order = [number for group in run["groups"] for number in group["numbers"]]
        assert sorted(order) == sorted(title)
        expect(self.cards.locator("[data-text]").and_(self.page.locator("h3, h4"))).to_have_text(
            [title[number] for number in order]
        )
        expect(self.shares).to_contain_text([f"{share['found']} of {share['planned']}" for share in run["genres"]])
        return run
