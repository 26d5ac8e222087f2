"""Report errors to Sentry if SENTRY_DSN is set: what failed and where in our code, never a prompt or an output.

The first report imports the SDK and makes its client, so that a process without errors does not pay for them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk.types import Event, Hint

TAGS = ("job_id", "request_id", "trace_id", "stage", "operation", "code", "error_type")
"""The fields of a log line that become tags of a report: only ids, and names from our own code."""

FLUSH_SECONDS = 1.0
"""Longest time that an invocation waits at its end until its reports are sent."""

BACKOFF_SECONDS = 60.0
"""If Sentry does not accept the reports within FLUSH_SECONDS, no invocation waits for it for this long."""

_FILE = re.compile(r'File "([^"\n]*)"')
_KEPT_OF_EVENT = frozenset(
    {"event_id", "timestamp", "level", "platform", "release", "environment", "tags", "exception", "logentry", "sdk"}
)
_KEPT_OF_FRAME = frozenset({"filename", "function", "module", "lineno", "in_app"})


class _State:
    """Whether there are reports to flush, and until which monotonic time to skip the wait for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reported = False
        self.skip_wait_until = 0.0


_state = _State()


def report(message: str, about: Mapping[str, Any], error: BaseException | None = None) -> str | None:
    """Send a report in the background. Return None, or the reason if that failed; raise nothing.

    `about` are the fields of the log line.
    """
    dsn = os.environ.get("SENTRY_DSN")
    if not dsn:
        return None
    try:
        _client(dsn).capture_event(_event(message, about, error))
    except Exception as failure:  # noqa: BLE001 - a failure of Sentry must not fail a job
        return type(failure).__name__
    _state.reported = True
    return None


def pending() -> bool:
    """Return whether there are reports to flush."""
    return _state.reported


def flush() -> None:
    """Wait, at most FLUSH_SECONDS, until all reports are sent, because Lambda freezes the process after its response.

    Raises nothing.
    """
    with _state.lock:
        if not _state.reported:
            return
        _state.reported = False
        started_at = time.monotonic()
        if started_at < _state.skip_wait_until:
            return
        with contextlib.suppress(Exception):
            _client(os.environ["SENTRY_DSN"]).flush(timeout=FLUSH_SECONDS)
        if time.monotonic() - started_at >= FLUSH_SECONDS:
            _state.skip_wait_until = time.monotonic() + BACKOFF_SECONDS


@functools.lru_cache(maxsize=1)
def _client(dsn: str) -> Client:
    """Return a separate client, not the SDK's global one, so that the SDK patches and records nothing else."""
    from sentry_sdk import Client  # noqa: PLC0415 - takes an eighth of a second

    return Client(
        dsn=dsn,
        release=os.environ.get("SENTRY_RELEASE") or "unreleased",  # without it, the SDK runs git
        environment=os.environ.get("SENTRY_ENVIRONMENT") or "production",
        default_integrations=False,
        auto_enabling_integrations=False,
        before_send=scrub,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        shutdown_timeout=0,
        server_name="",
    )


def _event(message: str, about: Mapping[str, Any], error: BaseException | None) -> Event:
    event: Event = {
        "level": "error",
        "platform": "python",
        "tags": {name: str(about[name]) for name in TAGS if about.get(name) is not None},
    }
    if error is None:
        event["logentry"] = {"message": message}
        return event
    # Leave out the exception's own text, because it may quote a prompt. Our message says what failed.
    frames = [
        {"filename": short_path(frame.filename), "function": frame.name, "lineno": frame.lineno, "in_app": _ours(frame)}
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    exception = {"type": type(error).__name__, "value": message, "stacktrace": {"frames": frames}}
    event["exception"] = {"values": [exception]}
    return event


def scrub(event: Event, _hint: Hint) -> Event:
    """Keep only fields that cannot contain a user's text. This is the last step before the SDK sends the event."""
    kept: Any = {name: value for name, value in event.items() if name in _KEPT_OF_EVENT}
    kept["tags"] = {name: value for name, value in (kept.get("tags") or {}).items() if name in TAGS}
    for exception in (kept.get("exception") or {}).get("values", ()):
        frames = (exception.get("stacktrace") or {}).get("frames", ())
        shortened = [{name: value for name, value in frame.items() if name in _KEPT_OF_FRAME} for frame in frames]
        exception["stacktrace"] = {"frames": shortened}
    scrubbed: Event = kept
    return scrubbed


def without_folders(frame: str) -> str:
    """Return a frame of a formatted traceback with `short_path` of its file."""
    return _FILE.sub(lambda found: f'File "{short_path(found[1])}"', frame)


def short_path(filename: str) -> str:
    """Return the file name without the folders above ours, because they describe a machine."""
    for root in ("/shared/", "/functions/", "/site-packages/"):
        if root in filename:
            return (root + filename.rpartition(root)[2]).lstrip("/")
    return os.path.basename(filename)


def _ours(frame: traceback.FrameSummary) -> bool:
    return short_path(frame.filename).startswith(("shared/", "functions/", "app.py"))
