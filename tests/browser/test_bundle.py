"""The console as `make build` bundles it: a whole job, in few requests, under the page's policy."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from fastapi import Request, Response
from playwright.sync_api import Page, Route, expect

from local.stack import LocalStack
from shared.errors import NotFound
from shared.web.site import FILES_AT, Site
from tests.api_user import AT_ONCE, ApiUser
from tests.browser.console import Console
from tests.browser.tab import Tab
from tests.contract.build_output import CONSOLE, bundle_missing, require
from tests.contract.test_console_bundle import REQUESTS, WELCOME_BYTES


@pytest.fixture(scope="module")
def site(stack: LocalStack) -> Site:
    """The site of the built function, which may connect to the stack."""
    require(bundle_missing())
    channel = stack.api_url.replace("http:", "ws:")
    return Site(CONSOLE, connects_to=[stack.stream_url, stack.api_url, stack.aws_url, channel])


@pytest.fixture
def bundled(new_tab: Callable[[], Tab], user: ApiUser, site: Site) -> Console:
    """The console of a tab whose page and files are those of the bundle; everything else comes from the stack."""
    console = Console(new_tab(), user)
    # Chromium does not know the address of an intercepted page, and asks before it may connect to this machine.
    console.page.context.grant_permissions(["local-network-access"])
    serve(console.page, user.stack.api_url, site)
    return console


def response_of(site: Site, path: str, *, encoding: str = "identity") -> Response:
    """Return what the console's function returns for a path."""
    headers = [(b"accept-encoding", encoding.encode())]
    request = Request({"type": "http", "method": "GET", "path": path, "headers": headers})
    return site.file(path.removeprefix(FILES_AT), request) if path.startswith(FILES_AT) else site.page(request)


def serve(page: Page, origin: str, site: Site) -> None:
    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/console/config.json" or not (path == "/" or path.startswith("/console")):
            route.fallback()
            return
        try:
            response = response_of(site, path)
        except NotFound:
            # Playwright intercepts no redirect: the page after the sign-in, and so its files, come from the stack.
            route.fallback()
        else:
            # Chromium decodes no body that comes from here, so it is sent without compression.
            route.fulfill(status=200, headers=dict(response.headers), body=bytes(response.body))

    page.route(f"{origin}/**", answer)


def test_a_first_visit_takes_few_requests_and_bytes(bundled: Console, site: Site) -> None:
    urls: list[str] = []
    bundled.page.on("response", lambda response: urls.append(urlsplit(response.url).path))

    bundled.page.goto(bundled.user.stack.api_url)
    expect(bundled.page.get_by_role("main").get_by_role("button", name="Sign in")).to_be_visible()

    files = [url for url in urls if url != "/console/config.json"]
    sizes = {url: len(response_of(site, url, encoding="gzip").body) for url in files}
    assert f"{FILES_AT}{site.version}/bundle/main.js" in urls
    assert not [url for url in urls if "vendor/" in url or "/pages/" in url]
    assert len(urls) <= REQUESTS, urls
    assert sum(sizes.values()) <= WELCOME_BYTES, sizes


def test_a_job_runs_in_the_bundle_and_every_page_can_be_opened(bundled: Console) -> None:
    bundled.open("/console/jobs")  # signs in
    job = bundled.suggest(page="Checkout", context=f"[[script: {AT_ONCE}]]")
    job.is_complete()
    for path in ("jobs", "agents", "webhooks", "data", "brainstorm", "ideations", "sheets", "projects"):
        bundled.open(f"/console/{path}")
        expect(bundled.page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        assert bundled.page.get_by_role("alert").count() == 0, path
