"""Find the browser and the packages that rendering needs, which only the functions and machines that render have."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.apps.video.rendering.layer import LAYER, unpacked
from shared.errors import RendererMissing

PACKAGES: Final = ("av",)
"""The modules of the packages that rendering needs."""

_SHELLS: Final = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell")
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Program:
    """A browser. `draws_on_command` says that it draws a picture when it is told to, and at no other time.

    That is the headless shell; other browsers draw by themselves and are asked for a copy, which takes longer.
    """

    path: Path
    draws_on_command: bool
    environment: Mapping[str, str] = field(default_factory=dict)


def missing() -> tuple[str, ...]:
    """Return what has to be installed before this machine can render; nothing if it can."""
    found = [] if _installed() or LAYER.is_dir() else [_how_to_get_the_browser()]
    return (*found, *_missing_packages())


def require() -> None:
    """Raise RendererMissing, which names what to install, if this machine cannot render."""
    _refuse(missing())


def require_packages() -> None:
    """Raise RendererMissing, which names what to install, if this machine cannot join chunks."""
    _refuse(_missing_packages())


def program() -> Program:
    """Return the browser that renders: CHROMIUM's, the layer's, a headless shell, or any Chromium, in this order.

    Raises RendererMissing if there is none.
    """
    require()
    found = _installed()
    if "CHROMIUM" not in os.environ and LAYER.is_dir():
        return Program(unpacked().program, draws_on_command=True, environment=unpacked().environment)
    if found is None:
        raise RendererMissing(f"videos cannot be rendered here: {_how_to_get_the_browser()}")
    return Program(found, draws_on_command=found.resolve().name in _SHELLS or found.name in _SHELLS)


def _refuse(names: Sequence[str]) -> None:
    if names:
        raise RendererMissing(f"videos cannot be rendered here, because something is missing: {', '.join(names)}")


def _missing_packages() -> tuple[str, ...]:
    is_complete = all(importlib.util.find_spec(package) is not None for package in PACKAGES)
    return () if is_complete else ("PyAV (run `make render`, and start again)",)


def _installed() -> Path | None:
    named = os.environ.get("CHROMIUM")
    names = (named,) if named else (*_SHELLS, *_BROWSERS)
    return next((Path(path) for name in names if (path := shutil.which(name))), None)


def _how_to_get_the_browser() -> str:
    if named := os.environ.get("CHROMIUM"):
        return f"the browser {named}, which CHROMIUM names"
    return "Chromium (apt-get install chromium-headless-shell, or set CHROMIUM=/path/to/chrome)"
