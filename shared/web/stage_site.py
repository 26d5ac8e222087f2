"""Serve the page in which scenes are drawn: one file that loads nothing, for a frame without an origin."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from shared.web.site import MEDIA_TYPES, REVALIDATED, SiteFile, send_file

PAGE: Final = "stage.html"
"""The file that is served as the page."""

SCRIPT: Final = "stage.js"
"""The module with which the page begins."""

_IMPORT_MAP: Final = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_SCRIPT: Final = re.compile(rf'<script type="module" src="\./{re.escape(SCRIPT)}"></script>')
_FONT: Final = re.compile(r'url\("\./([^"]+\.woff2)"\)')
_RELATIVE: Final = re.compile(r'(\b(?:from|import)\s*)"(\.{1,2}/[^"]+)"')


class StageSite:
    """The page of the stage, made of the runtime of scenes, which is a folder of modules and fonts.

    A model writes what runs on this page, so its policy lets it load nothing and send nothing. It has no origin
    (`sandbox`), even when it is opened outside a frame, so it reads no data of the console. A browser reads a module or
    a font for a page without an origin only if the response allows every origin, and an API Gateway that is configured
    for certain origins never says so. So the page holds its modules, in its import map, and its fonts.
    """

    def __init__(self, folder: Path) -> None:
        page = (folder / PAGE).read_text()
        (names,) = _IMPORT_MAP.findall(page)
        imports = json.dumps({"imports": _modules(folder, json.loads(names)["imports"])}, separators=(",", ":"))
        begin = f'import "{_name_of(SCRIPT)}";'
        page = _IMPORT_MAP.sub(lambda _: f'<script type="importmap">{imports}</script>', page)
        page = _SCRIPT.sub(lambda _: f'<script type="module">{begin}</script>', page)
        page = _FONT.sub(lambda found: f'url("{_data(MEDIA_TYPES[".woff2"], folder / found[1])}")', page)
        self._page = SiteFile(MEDIA_TYPES[".html"], page.encode())
        self._headers = _page_headers(imports, begin)

    def page(self, request: Request) -> Response:
        """Return the page."""
        return send_file(self._page, request, {"Cache-Control": REVALIDATED, **self._headers})


def _modules(folder: Path, imports: Mapping[str, str]) -> dict[str, str]:
    """Return what each name that a module imports leads to, as a `data:` URL.

    A module in a `data:` URL has no folder, so paths relative to its file become names too.
    """
    paths = {normpath(path) for path in (SCRIPT, *imports.values())}
    texts: dict[str, str] = {}
    while paths:
        path = paths.pop()
        text = (folder / path).read_text()
        texts[path] = _with_names(path, text)
        paths |= {_beside(path, other) for _, other in _RELATIVE.findall(text)} - texts.keys()
    urls = {path: _data("text/javascript", text.encode()) for path, text in sorted(texts.items())}
    named = {name: urls[normpath(path)] for name, path in imports.items()}
    return {**{_name_of(path): url for path, url in urls.items()}, **named}


def _with_names(path: str, text: str) -> str:
    """Return the text of the module in the file `path`, which imports every other file by its name."""
    return _RELATIVE.sub(lambda found: f'{found[1]}"{_name_of(_beside(path, found[2]))}"', text)


def _beside(path: str, other: str) -> str:
    """Return the path in the folder that `other` means in the file `path`."""
    return normpath(join(dirname(path), other))


def _name_of(path: str) -> str:
    """Return the name under which modules import the file."""
    return f"stage/{path}"


def _data(media_type: str, content: bytes | Path) -> str:
    read = content if isinstance(content, bytes) else content.read_bytes()
    return f"data:{media_type};base64,{base64.b64encode(read).decode()}"


def _page_headers(*inline_scripts: str) -> dict[str, str]:
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in inline_scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = {
        "default-src": "'none'",
        # `data:` are the modules of the runtime; `blob:` are the scenes, which the page makes of the texts it was sent.
        "script-src": f"data: blob: {allowed}",
        "style-src": "'unsafe-inline'",
        "img-src": "blob: data:",
        "font-src": "data:",
        "connect-src": "'none'",
        "worker-src": "'none'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
        "sandbox": "allow-scripts",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
