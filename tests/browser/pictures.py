"""`make screenshots`: take the README's two pictures of the console and save them in docs/images."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import BrowserContext, expect, sync_playwright

from local.model.control import ModelControl
from local.stack import ROOT, LocalStack
from tests.api_user import ApiUser, data_of
from tests.apps.ideation.requests import RUN
from tests.browser import chromium
from tests.browser.console import Console
from tests.browser.tab import Tab

IMAGES = ROOT / "docs/images"
SIZE = {"width": 1120, "height": 760}
LARGEST = 200_000
"""In bytes. A clone of the repository contains every version of the pictures."""


def main() -> int:
    """Return the exit status."""
    if chromium.installed() is None:
        sys.stderr.write(f"{chromium.MISSING}\n")
        return 1
    IMAGES.mkdir(exist_ok=True)
    with LocalStack() as stack, ModelControl(stack.model_url) as model:
        user = ApiUser(stack, name="alice")
        with sync_playwright() as playwright, chromium.launched(playwright) as browser:
            made = []
            for scheme, picture in (("light", _job), ("dark", _run)):
                context = browser.new_context(locale="en-GB", viewport=SIZE, color_scheme=scheme)
                made.append(picture(context, user, model))
                context.close()
        user.close()
    for path in made:
        size = path.stat().st_size
        sys.stdout.write(f"{path.relative_to(ROOT)}  {size // 1000} kB\n")
        if size > LARGEST:
            sys.stderr.write(f"{path.name} is larger than {LARGEST // 1000} kB\n")
            return 1
    return 0


def _job(context: BrowserContext, user: ApiUser, model: ModelControl) -> Path:
    """A job during its second attempt; in the first one, the connection to the model broke."""
    model.script(match="Checkout page", times=1, token_ms=1, first_token_ms=0, disconnect_after=90)
    model.script(match="Checkout page", times=1, token_ms=1, first_token_ms=0, hang_after=190)
    answer = user.create(additionalContext="Guests leave at the address form.")
    job = Console(Tab(context.new_page()), user).job(data_of(answer, 202)["jobId"])
    expect(job.happened).to_have_count(1)
    expect(job.cards).to_have_count(2)
    job.page.evaluate("scrollTo(0, 0)")
    path = IMAGES / "console-job.png"
    job.page.screenshot(path=path)
    user.cancel(job.id)
    return path


def _run(context: BrowserContext, user: ApiUser, model: ModelControl) -> Path:
    """A complete run with ranked ideas."""
    model.script(match="mobile game", token_ms=0, first_token_ms=0)
    created = data_of(user.api.post("/ideations", json={**RUN, "arrangement": "rank"}), 202)
    user.ended(created["jobId"])
    run = Console(Tab(context.new_page()), user).run(created["runId"])
    run.is_complete()
    path = IMAGES / "console-run.png"
    run.page.screenshot(path=path)
    return path


if __name__ == "__main__":
    sys.exit(main())
