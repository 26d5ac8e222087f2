"""Serve the console's page and its files from memory, with security, caching and compression headers."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from glob import glob
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from shared.errors import NotFound
from shared.schema import Schema

PAGE: Final = "index.html"
"""The file that is served as the page."""

FILES_AT: Final = "/console/static/"
"""The path under which the files are served."""

BUNDLED_PAGE: Final = "bundle/index.html"
"""The page that `make build` writes, beside a bundle of all modules and style sheets. It is served if it is there."""

ON_DEMAND: Final = "vendor/ag_grid/"
"""Files in this folder are large libraries: the page does not link them, and the pages that need one load it."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"
"""`Cache-Control` of a file whose path contains its version: browsers may keep it for a year."""

REVALIDATED: Final = "no-cache"
"""`Cache-Control` of the page and of paths without a version: browsers ask whether their copy is still valid."""

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Media types by file suffix. A file with another suffix stops the function from starting."""


class ConsoleRetention(Schema):
    """How long jobs are kept after their end: completed ones, and failed or cancelled ones, in seconds.

    `archive_days`: how many days they can be read afterwards; 0 if they are not archived.
    """

    job_seconds: int
    failed_job_seconds: int
    archive_days: int


class ConsoleConfig(Schema):
    """The settings of the deployment that the page needs to sign users in and to call the API.

    `scripted_model` is true if a script answers instead of a model, so that no job costs anything. `aws_console` is the
    origin of AWS's console in the deployment's region; None where the deployment is not on AWS. `retention` says how
    long ended jobs are kept.
    """

    issuer: str
    client_id: str
    stream_url: str
    default_model: str
    models: tuple[str, ...]
    scripted_model: bool
    retention: ConsoleRetention
    aws_console: str | None = None


@dataclass(frozen=True)
class SiteFile:
    """The bytes of one file; `etag` is a digest of them."""

    media_type: str
    body: bytes = field(repr=False)

    @cached_property
    def etag(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:20]

    @cached_property
    def gzipped(self) -> bytes:
        """Return the bytes compressed: without the time of compression, so that they are the same in every process."""
        return gzip.compress(self.body, mtime=0)


class Site:
    """The files of a folder, which are served under `FILES_AT`, and its page, which is served at every other path.

    `connects_to` are the origins that the page may call besides its own. `version` is a digest of all files.
    """

    def __init__(self, folder: Path, *, connects_to: Sequence[str]) -> None:
        # Unlike Path.rglob, glob follows links to folders. In the repository, the folder of the client is such a link.
        found = [folder / name for name in sorted(glob("**", root_dir=folder, recursive=True))]
        files = {
            path.relative_to(folder).as_posix(): SiteFile(MEDIA_TYPES[path.suffix], path.read_bytes())
            for path in found
            if path.is_file()
        }
        self.version = hashlib.sha256("".join(file.etag for file in files.values()).encode()).hexdigest()[:16]
        page, bundled = files.pop(PAGE), files.pop(BUNDLED_PAGE, None)
        self._files = files
        text = self._with_style_sheets(page.body.decode()) if bundled is None else bundled.body.decode()
        versioned = text.replace(f'"{FILES_AT}', f'"{FILES_AT}{self.version}/')
        self._page = SiteFile(page.media_type, versioned.encode())
        self._page_headers = _page_headers(connects_to)

    def page(self, request: Request) -> Response:
        """Return the page. It is the same for every path: its script reads the path and shows what belongs there."""
        return send_file(self._page, request, {"Cache-Control": REVALIDATED, **self._page_headers})

    def file(self, path: str, request: Request) -> Response:
        """Return a file by its name, or by `<version>/<name>`, which browsers may cache as immutable.

        Raises NotFound if the folder has no such file.
        """
        name = path.removeprefix(f"{self.version}/")
        file = self._files.get(name)
        if file is None:
            raise NotFound("the file was not found")
        return send_file(file, request, {"Cache-Control": REVALIDATED if name == path else IMMUTABLE})

    def _with_style_sheets(self, page: str) -> str:
        """Link the applications' style sheets, after those that the page links itself."""
        paths = [f"{FILES_AT}{name}" for name in self._files if not name.startswith(ON_DEMAND)]
        sheets = [each for each in paths if each.endswith(".css") and f'"{each}"' not in page]
        links = "".join(f'<link rel="stylesheet" href="{sheet}">\n' for sheet in sheets)
        return page.replace("</head>", f"{links}</head>")


def origin_of(url: str) -> str:
    """Return the URL's origin, `https://host:port`, as a content security policy names it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def send_file(file: SiteFile, request: Request, headers: Mapping[str, str]) -> Response:
    """Return a file with these headers: compressed if the client takes that, and 304 if it has the same one."""
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    etag = f'"{file.etag}-gzip"' if compressed else f'"{file.etag}"'
    sent = {**headers, "ETag": etag, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    cached = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if etag in cached:
        return Response(status_code=304, headers=sent)
    if compressed:
        sent["Content-Encoding"] = "gzip"
    return Response(file.gzipped if compressed else file.body, media_type=file.media_type, headers=sent)


def _page_headers(connects_to: Sequence[str]) -> dict[str, str]:
    """Return headers that allow scripts and styles from our own files only, and connections to known origins only."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        # `blob:` are pictures that the page itself has read; the frame is the stage, which has its own policy.
        "img-src": "'self' blob:",
        "frame-src": "'self'",
        "connect-src": " ".join(["'self'", *dict.fromkeys(connects_to)]),
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        # The browser refuses to parse text as HTML or to run it, so a model's output stays text.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
