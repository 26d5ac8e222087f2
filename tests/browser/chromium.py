"""Find and start Chromium: the one that the variable CHROMIUM names, Debian's headless shell, or any other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

MISSING = "Chromium is missing; install it (apt-get install chromium) or set CHROMIUM=/path/to/chrome"
# The headless shell is Chromium without windows: it lays out, runs and draws the same, with less CPU.
_SHELLS = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Chromium must connect to the local stack only, not to its vendor's services.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# The headless shell draws a frame without an origin in the process of its page unless it is told otherwise.
_AS_BROWSERS_DO = ("--site-per-process",)


def installed(*, with_history: bool = False) -> str | None:
    """Return the path of Chromium, `with_history` of one that is no headless shell; None if it is not installed."""
    known = _BROWSERS if with_history else (*_SHELLS, *_BROWSERS)
    names = [named] if (named := os.environ.get("CHROMIUM")) else known
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def launched(
    playwright: Playwright, *, back_forward_cache: bool = False, process_per_site: bool = False
) -> Iterator[Browser]:
    """Run a headless browser until the end of the block.

    Playwright disables the back-forward cache by default, and the headless shell has none. `process_per_site`: the tabs
    of a profile that show pages of one site share a process, as browsers do where memory is short.
    """
    browser = playwright.chromium.launch(
        executable_path=installed(with_history=back_forward_cache),
        args=[*_QUIET, *_AS_BROWSERS_DO, *(["--process-per-site"] if process_per_site else [])],
        ignore_default_args=["--disable-back-forward-cache"] if back_forward_cache else None,
    )
    yield browser
    browser.close()
