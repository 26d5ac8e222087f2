"""The stage is one page that loads nothing, and what runs in it can send nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from starlette.requests import Request

from shared.web.stage_site import StageSite

RUNTIME = Path(__file__).resolve().parents[3] / "functions/console/stage"
REQUEST = Request({"type": "http", "headers": []})


@pytest.fixture(scope="module")
def site() -> StageSite:
    return StageSite(RUNTIME)


@pytest.fixture(scope="module")
def page(site: StageSite) -> str:
    return bytes(site.page(REQUEST).body).decode()


def policy_of(site: StageSite) -> dict[str, str]:
    policy = site.page(REQUEST).headers["content-security-policy"]
    return dict(each.split(" ", 1) for each in policy.split("; "))


def test_the_policy_of_the_stage_lets_nothing_in_or_out_and_gives_it_no_origin(site: StageSite) -> None:
    policy = policy_of(site)
    for name in ("default-src", "connect-src", "worker-src", "form-action", "base-uri"):
        assert policy[name] == "'none'"
    assert policy["sandbox"] == "allow-scripts"
    assert policy.pop("frame-ancestors") == "'self'"
    assert not re.search(r"'self'|http|\*", " ".join(policy.values()))


def test_the_policy_allows_the_two_scripts_of_the_page_and_no_other(site: StageSite, page: str) -> None:
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [' type="importmap"', ' type="module"']
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for _, text in scripts]
    assert policy_of(site)["script-src"] == " ".join(["data:", "blob:", *(f"'sha256-{each}'" for each in digests)])


def test_the_page_holds_every_module_and_font(page: str) -> None:
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', page)
    imports = json.loads(text)["imports"]
    assert imports.keys() >= {"@millrace/scene", "remotion", "react", "preact", "stage/stage.js"}
    for url in imports.values():
        head, _, body = url.partition(",")
        assert head == "data:text/javascript;base64"
        module = base64.b64decode(body).decode()
        for name in re.findall(r'\b(?:from|import)\s*"([\w@./-]+)"', module):
            assert name in imports
    fonts = re.findall(r'url\("([^"]{30})', page)
    assert len(fonts) == 5
    assert set(fonts) == {"data:font/woff2;base64,d09GMgA"}
    assert not re.search(r'(?:src|href)="', page)


def test_a_page_that_the_browser_has_is_not_sent_again(site: StageSite) -> None:
    etag = site.page(REQUEST).headers["etag"]
    again = Request({"type": "http", "headers": [(b"if-none-match", etag.encode())]})
    assert site.page(again).status_code == 304


def test_a_module_that_is_not_in_the_folder_stops_the_function(tmp_path: Path) -> None:
    (tmp_path / "stage.html").write_text('<script type="importmap">{"imports": {}}</script>')
    (tmp_path / "stage.js").write_text('import { a } from "./a.js";')
    with pytest.raises(FileNotFoundError, match=r"a\.js"):
        StageSite(tmp_path)
