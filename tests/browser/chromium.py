"""Find and start Chromium: Debian's, or the one that the environment variable CHROMIUM names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

MISSING = "Chromium is missing; install it (apt-get install chromium) or set CHROMIUM=/path/to/chrome"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium must connect to the local stack only, not to its vendor's services.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def installed() -> str | None:
    """Return the path of Chromium; None if it is not installed."""
    names = [named] if (named := os.environ.get("CHROMIUM")) else _NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def launched(playwright: Playwright, *, back_forward_cache: bool = False) -> Iterator[Browser]:
    """Run a headless browser until the end of the block. Playwright disables the back-forward cache by default."""
    browser = playwright.chromium.launch(
        executable_path=installed(),
        args=list(_QUIET),
        ignore_default_args=["--disable-back-forward-cache"] if back_forward_cache else None,
    )
    yield browser
    browser.close()
