"""The console's page and files need no token, have a strict policy and can be cached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from glob import glob
from urllib.parse import urlsplit

import httpx
import pytest

from local.stack import AUDIENCE, ROOT, LocalStack
from tests.api_user import OTHER_ORIGIN, refusal

STATIC = ROOT / "functions/console/static"
FILES = [name for name in sorted(glob("**", root_dir=STATIC, recursive=True)) if (STATIC / name).is_file()]
LINKED = [name for name in FILES if not name.startswith("vendor/ag_grid/")]
PAGES = [
    "/",
    "/console",
    "/console/jobs",
    "/console/jobs/job_01jd8x2v5n7k3q9w4t6y8z0abc",
    "/console/ideations/run_01jd8x2v5n7k3q9w4t6y8z0abc",
    "/console/signed-in?code=c&state=s",
]


@pytest.fixture
def browser(stack: LocalStack) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=stack.api_url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_every_path_of_the_console_returns_the_page_to_every_client(browser: httpx.Client, path: str) -> None:
    response = browser.get(path)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text.startswith("<!doctype html>")


def test_the_policy_of_the_page_allows_only_its_own_files(stack: LocalStack, browser: httpx.Client) -> None:
    response = browser.get("/console/jobs")
    policy = dict(each.split(" ", 1) for each in response.headers["content-security-policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert set(policy["connect-src"].split()) == {
        *("'self'", stack.stream_url, stack.api_url, stack.aws_url),
        stack.api_url.replace("http:", "ws:"),
    }
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", response.text)


def test_every_file_that_the_page_names_exists_and_is_immutable(browser: httpx.Client) -> None:
    named = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', browser.get("/").text)
    assert {urlsplit(path).path.rpartition(".")[2] for path in named} >= {"js", "css", "svg"}

    for path in named:
        response = browser.get(path)
        assert response.status_code == 200, path
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"


def test_the_page_names_one_module_which_loads_the_others_when_a_page_needs_them(browser: httpx.Client) -> None:
    modules = re.findall(r'"/console/static/[0-9a-f]{16}/([^"]+\.js)"', browser.get("/").text)

    assert modules == ["main.js"]


def test_the_page_links_every_style_sheet_once_and_the_applications_last(browser: httpx.Client) -> None:
    linked = re.findall(r'<link rel="stylesheet" href="/console/static/[0-9a-f]{16}/([^"]+)">', browser.get("/").text)

    assert sorted(linked) == [name for name in LINKED if name.endswith(".css")]
    of_applications = [name for name in linked if name.startswith("apps/")]
    assert of_applications == linked[-len(of_applications) :]
    assert linked[0] == "core/styles/theme.css"


@pytest.mark.parametrize("name", [name for name in FILES if name != "index.html"])
def test_a_file_without_a_version_is_revalidated_and_sent_only_if_it_changed(browser: httpx.Client, name: str) -> None:
    path = f"/console/static/{name}"

    response = browser.get(path)

    assert response.content == (STATIC / name).read_bytes()
    assert response.headers["cache-control"] == "no-cache"
    again = browser.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert browser.get(path, headers={"If-None-Match": '"older"'}).status_code == 200


def test_a_client_that_accepts_no_compression_gets_a_plain_file(browser: httpx.Client) -> None:
    path = "/console/static/millrace.js"
    small = browser.get(path)
    plain = browser.get(path, headers={"Accept-Encoding": "identity"})

    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.text == small.text
    assert plain.headers["etag"] != small.headers["etag"]
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "millrace", "%00", "index.html"])
def test_an_unknown_file_is_not_found(browser: httpx.Client, name: str) -> None:
    refusal(browser.get(httpx.URL(f"/console/static/{name}")), 404, "NOT_FOUND")


def test_the_configuration_has_the_issuer_and_the_models(stack: LocalStack, browser: httpx.Client) -> None:
    data = browser.get("/console/config.json").json()["data"]

    assert data["issuer"] == stack.issuer_url
    assert data["clientId"] == AUDIENCE
    assert data["streamUrl"] == stack.stream_url
    assert data["defaultModel"] in data["models"]
    assert data["scriptedModel"] is True
    assert data["retention"] == {"jobSeconds": 600, "failedJobSeconds": 3600, "archiveDays": 30}


def test_the_console_does_not_change_the_routes_of_the_api(browser: httpx.Client) -> None:
    refusal(browser.get("/jobs"), 401, "UNAUTHENTICATED")
    refusal(browser.get("/nowhere"), 404, "NOT_FOUND")
    refusal(browser.post("/console/jobs"), 405, "METHOD_NOT_ALLOWED")


def test_a_page_of_another_origin_may_import_the_client(browser: httpx.Client) -> None:
    response = browser.get("/console/static/millrace.js", headers={"Origin": OTHER_ORIGIN})

    assert response.headers["access-control-allow-origin"] == OTHER_ORIGIN
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
