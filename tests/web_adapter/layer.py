"""The files of Lambda Web Adapter's layer under /opt, which `make web-adapter` builds."""

from __future__ import annotations

from pathlib import Path

OPT = Path(__file__).parent / "target"
ADAPTER = OPT / "extensions" / "lambda-adapter"
WRAPPER = OPT / "bootstrap"


def missing() -> str | None:
    """Return in one line why it cannot run; None if it can."""
    if ADAPTER.exists() and WRAPPER.exists():
        return None
    return "Lambda Web Adapter is not built: make web-adapter (which needs Rust's cargo)"
