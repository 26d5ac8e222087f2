"""The console's site serves the page of the bundle if `make build` has written one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import Request

from shared.errors import NotFound
from shared.web.site import IMMUTABLE, REVALIDATED, Site

PAGE = '<head><link rel="stylesheet" href="/console/static/core/base.css"></head><script src="/console/static/main.js">'
BUNDLED = '<head></head><script src="/console/static/bundle/main.js">'


def asked(**headers: str) -> Request:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": encoded})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "index.html": PAGE,
        "main.js": "start()",
        "core/base.css": "a{}",
        "apps/song/song.css": "b{}",
        "vendor/ag_grid/grid.css": "c{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def bundle(folder: Path) -> None:
    (folder / "bundle").mkdir()
    (folder / "bundle/index.html").write_text(BUNDLED)
    (folder / "bundle/main.js").write_text("bundled()")


def page_of(site: Site) -> str:
    return bytes(site.page(asked()).body).decode()


def test_without_a_bundle_the_page_links_the_style_sheets_of_applications_and_no_library(folder: Path) -> None:
    site = Site(folder, connects_to=[])

    assert page_of(site) == (
        f'<head><link rel="stylesheet" href="/console/static/{site.version}/core/base.css">'
        f'<link rel="stylesheet" href="/console/static/{site.version}/apps/song/song.css">\n</head>'
        f'<script src="/console/static/{site.version}/main.js">'
    )


def test_with_a_bundle_the_page_is_the_one_of_the_bundle(folder: Path) -> None:
    bundle(folder)
    site = Site(folder, connects_to=[])

    assert page_of(site) == f'<head></head><script src="/console/static/{site.version}/bundle/main.js">'
    assert site.file(f"{site.version}/bundle/main.js", asked()).headers["cache-control"] == IMMUTABLE


def test_the_modules_stay_beside_the_bundle_and_the_pages_are_no_files(folder: Path) -> None:
    bundle(folder)
    site = Site(folder, connects_to=[])

    assert site.file("main.js", asked()).headers["cache-control"] == REVALIDATED
    for page in ("index.html", "bundle/index.html"):
        with pytest.raises(NotFound):
            site.file(page, asked())


def test_a_bundle_changes_the_version_so_that_no_browser_keeps_the_old_files(folder: Path) -> None:
    before = Site(folder, connects_to=[]).version
    bundle(folder)

    assert Site(folder, connects_to=[]).version != before
