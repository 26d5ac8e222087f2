"""The console as its user has it: pages found by what they say, acted on by label and role."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as NotInTime

from tests.api_user import ApiUser
from tests.browser.tab import Tab

expect.set_options(timeout=15_000)


class Console:
    """One tab, in the hands of `user`."""

    def __init__(self, tab: Tab, user: ApiUser) -> None:
        self.tab = tab
        self.page = tab.page
        self.user = user
        self._url = user.stack.api_url

    def open(self, address: str) -> None:
        """Open an address of the console, signing in where that is asked for."""
        self.page.goto(self._url + address)
        if not self.page.context.cookies():  # with the issuer's, the page signs in by itself
            self.page.get_by_role("main").get_by_role("button", name="Sign in").click()
            self.sign_in()
        self.page.wait_for_url(self._url + address)
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def sign_in(self) -> None:
        """Fill the local issuer's form."""
        self.page.get_by_label("Who are you?").fill(self.user.name)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def job(self, job_id: str) -> JobPage:
        self.open(f"/console/jobs/{job_id}")
        return JobPage(self)

    def suggest(self, **fields: str) -> JobPage:
        """Fill the form and send it."""
        self.open("/console/suggest")
        self.page.get_by_label("Page or component").fill(fields["page"])
        if "kind" in fields:
            self.page.get_by_label("Kind of feature").select_option(label=fields["kind"])
        if "priority" in fields:
            self.page.get_by_role("radio", name=fields["priority"]).check()
        self.page.get_by_label("Anything else to know").fill(fields.get("context", ""))
        self.page.get_by_role("button", name="Suggest features").click()
        self.page.wait_for_url(re.compile(r"/console/jobs/job_\w+$"))
        return JobPage(self)


class JobPage:
    """What is seen of one job."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tab = console.tab
        self.page = console.page
        self.raw = self.page.locator("pre.raw")
        self.problem = self.page.get_by_role("alert")
        self.happened = self.page.get_by_role("region", name="What happened").get_by_role("listitem")
        self.cards = self.page.get_by_role("region", name=re.compile("Suggestions|Ideas")).get_by_role("article")

    @property
    def job_id(self) -> str:
        return str(self.page.url).rpartition("/")[2]

    @property
    def state(self) -> Locator:
        return self.page.locator(".state")

    @property
    def text(self) -> str:
        """As the model wrote it, as far as it is shown."""
        return self.raw.text_content() or ""

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def until_text(self, least: int = 1) -> None:
        """Return when so many characters are shown."""
        self.page.wait_for_function(
            "least => (document.querySelector('pre.raw')?.textContent ?? '').length >= least", arg=least
        )

    def ends(self, state: str) -> dict[str, Any]:
        """The job by the API, once the page shows this end; both have the same text."""
        expect(self.state).to_have_text(re.compile(state))
        job = self.console.user.ended(self.job_id)
        with contextlib.suppress(NotInTime):  # the comparison below says more
            self.page.wait_for_function(
                "text => document.querySelector('pre.raw').textContent === text", arg=job["text"], timeout=2_000
            )
        assert self.text == job["text"]
        return job

    def is_complete(self) -> dict[str, Any]:
        """The job by the API, once the page shows all of its result."""
        job = self.ends("^Complete$")
        titles = [suggestion["title"] for suggestion in job["result"]["suggestions"]]
        expect(self.cards.get_by_role("heading", level=3)).to_have_text(titles)
        return job
