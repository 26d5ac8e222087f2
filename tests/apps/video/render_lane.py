"""What rendering needs on the machine of the tests."""

from __future__ import annotations

from shared.apps.video.rendering import programs
from tests.layout import ROOT


def missing() -> str | None:
    """Return what has to be installed before functions can render here; None if they can."""
    if not (ROOT / ".venv-render").is_dir():
        return "the encoder of videos is missing; run `make render`"
    found = [each for each in programs.missing() if not each.startswith("PyAV")]
    return f"{found[0]} is missing" if found else None
