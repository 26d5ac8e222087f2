"""The files of the page that draws a video: the stage of the preview, and the images of the project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.apps.video.rendering.browser import HOST, File
from shared.apps.video.rendering.plan import ImageFile

RUNTIME: Final = Path(__file__).parents[1] / "runtime"
"""The files that scenes are drawn with, here as in the preview."""

PAGE: Final = "/stage.html"
"""The path of the page."""

_TYPES: Final = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".woff2": "font/woff2"}
# The preview's page has the same walls: no origin, and no request but for the files of the runtime and of the project.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"script-src {HOST} blob: 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src blob: data:",
        f"font-src {HOST}",
        f"connect-src {HOST}",
        "worker-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
        "sandbox allow-scripts",
    )
)


def stage_files(images: Mapping[str, ImageFile]) -> dict[str, File]:
    """Return the files by their path, those of the images among them."""
    runtime = {
        f"/{path.relative_to(RUNTIME).as_posix()}": File(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(RUNTIME.rglob("*"))
        if path.suffix in _TYPES
    }
    page = File(runtime[PAGE].content, runtime[PAGE].type, {"Content-Security-Policy": _POLICY})
    shown = {image_path(image_id): File(image.content, image.type) for image_id, image in images.items()}
    return {**runtime, PAGE: page, **shown}


def image_path(image_id: str) -> str:
    """Return the path at which the page finds an image."""
    return f"/images/{image_id}"
