"""Find functions (`functions/<group>/<function>/app.py`) and events (`events/<group>/<function>.<case>.json`)."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
APPS = sorted((ROOT / "functions").rglob("app.py"), key=lambda app: app.parent.name)
"""Every function's code, in the order of the functions' names, which are unique across groups."""
EVENTS = sorted((ROOT / "events").rglob("*.json"), key=lambda file: file.name)


def module_of(function: str) -> str:
    """Return the module of the function: `create_job` → `functions.jobs.create_job.app`."""
    return MODULES[function]


def event_file(name: str) -> Path:
    """Return the file of the event: `create_job.valid` → `events/jobs/create_job.valid.json`."""
    return EVENT_FILES[name]


MODULES = {app.parent.name: ".".join(app.relative_to(ROOT).with_suffix("").parts) for app in APPS}
"""Function → its module."""
EVENT_FILES = {file.stem: file for file in EVENTS}
"""Event → its file."""
