"""A page and its files, read once from a function's folder, with the headers that keep a browser strict and fast."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from shared.errors import NotFound
from shared.schema import Schema

PAGE: Final = "index.html"
FILES_AT: Final = "/console/static/"
FOR_EVER: Final = "public, max-age=31536000, immutable"
REVALIDATED: Final = "no-cache"
MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""By suffix; a file of another kind has no business here."""


class ConsoleConfig(Schema):
    """What the page has to know of the deployment it belongs to."""

    issuer: str
    client_id: str
    stream_url: str
    default_model: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SiteFile:
    """One file as it is sent: as it is, or compressed for whoever takes that."""

    media_type: str
    etag: str
    body: bytes
    gzipped: bytes

    @classmethod
    def of(cls, media_type: str, body: bytes) -> SiteFile:
        # Without a date in it: the same file is the same bytes in every process.
        compressed = gzip.compress(body, mtime=0)
        return cls(media_type, hashlib.sha256(body).hexdigest()[:20], body, compressed)


class Site:
    """The files of a folder under `FILES_AT`, and its `index.html` as the page of every other path.

    `connects_to`: origins that the page may call besides its own.
    """

    def __init__(self, folder: Path, *, connects_to: Sequence[str]) -> None:
        # glob follows links to folders, which Path.rglob does not: in the repository the client is one.
        found = [folder / name for name in sorted(glob("**", root_dir=folder, recursive=True))]
        files = {
            path.relative_to(folder).as_posix(): SiteFile.of(MEDIA_TYPES[path.suffix], path.read_bytes())
            for path in found
            if path.is_file()
        }
        self.version = hashlib.sha256("".join(file.etag for file in files.values()).encode()).hexdigest()[:16]
        page = files.pop(PAGE)
        self._files = files
        self._page = SiteFile.of(page.media_type, self._with_versions(page.body.decode()).encode())
        self._page_headers = _page_headers(connects_to)

    def page(self, request: Request) -> Response:
        """The page; which one it shows is for its script to read from the path."""
        return _send(self._page, request, {"Cache-Control": REVALIDATED, **self._page_headers})

    def file(self, path: str, request: Request) -> Response:
        """A file by its name, or by the version and its name, and then for ever. Raises NotFound."""
        name = path.removeprefix(f"{self.version}/")
        file = self._files.get(name)
        if file is None:
            raise NotFound("there is no such file")
        return _send(file, request, {"Cache-Control": REVALIDATED if name == path else FOR_EVER})

    def _with_versions(self, page: str) -> str:
        """Put the version into the addresses of files, and link to the files that the page does not name itself.

        Those are the applications' style sheets, and every module: the browser then requests all modules at once,
        instead of one import after the other.
        """
        addresses = [f"{FILES_AT}{name}" for name in self._files]
        sheets = [each for each in addresses if each.endswith(".css") and f'"{each}"' not in page]
        modules = [each for each in addresses if each.endswith(".js")]
        links = [
            *(f'<link rel="stylesheet" href="{sheet}">\n' for sheet in sheets),
            *(f'<link rel="modulepreload" href="{module}">\n' for module in modules),
        ]
        linked = page.replace("</head>", f"{''.join(links)}</head>")
        return linked.replace(f'"{FILES_AT}', f'"{FILES_AT}{self.version}/')


def origin_of(url: str) -> str:
    """`https://host:port`, as a content security policy names it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _send(file: SiteFile, request: Request, headers: Mapping[str, str]) -> Response:
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    etag = f'"{file.etag}-gzip"' if compressed else f'"{file.etag}"'
    sent = {**headers, "ETag": etag, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=sent)
    if compressed:
        sent["Content-Encoding"] = "gzip"
    return Response(file.gzipped if compressed else file.body, media_type=file.media_type, headers=sent)


def _page_headers(connects_to: Sequence[str]) -> dict[str, str]:
    """No script, style or frame but our own files, and connections only to where the page has business."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": " ".join(["'self'", *dict.fromkeys(connects_to)]),
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        # Text from a model can only become text: nothing may be parsed as HTML or run.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
