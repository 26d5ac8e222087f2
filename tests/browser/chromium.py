"""The Chromium of this machine: Debian's, or the one that CHROMIUM names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

MISSING = "there is no Chromium: install Debian's (apt-get install chromium) or name another (CHROMIUM=/path/to/chrome)"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# It shall speak to the local stack only, not to its maker.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def installed() -> str | None:
    """Its path; None where there is none."""
    names = [named] if (named := os.environ.get("CHROMIUM")) else _NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def launched(playwright: Playwright, *, back_forward_cache: bool = False) -> Iterator[Browser]:
    """A headless one, until the end of the block; with the cache that Playwright otherwise forbids."""
    browser = playwright.chromium.launch(
        executable_path=installed(),
        args=list(_QUIET),
        ignore_default_args=["--disable-back-forward-cache"] if back_forward_cache else None,
    )
    yield browser
    browser.close()
