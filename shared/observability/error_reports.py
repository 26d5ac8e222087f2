"""Errors reported to Sentry where SENTRY_DSN names one: what broke and where in our code, never what it was working on.

The client is imported and made with the first report, so that it costs nothing where nothing breaks.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk.types import Event, Hint

TAGS = ("job_id", "request_id", "trace_id", "stage", "operation", "code", "error_type")
"""What of a log line's fields goes along: ids and names out of our own code."""

FLUSH_SECONDS = 1.0
"""How long the end of an invocation that has reported something may wait for Sentry to take it."""

PATIENCE_SECONDS = 60.0
"""After Sentry has kept one waiting for all of that, nobody waits for it for as long as this."""

_KEPT_OF_EVENT = frozenset(
    {"event_id", "timestamp", "level", "platform", "release", "environment", "tags", "exception", "logentry", "sdk"}
)
_KEPT_OF_FRAME = frozenset({"filename", "function", "module", "lineno", "in_app"})


class _Traffic:
    """Return whether something is on its way to Sentry, and until when nobody waits for that."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reported = False
        self.unattended_until = 0.0


_traffic = _Traffic()


def report(message: str, about: Mapping[str, Any], error: BaseException | None = None) -> str | None:
    """Report it in the background; answers why that was impossible, and raises nothing."""
    dsn = os.environ.get("SENTRY_DSN")
    if not dsn:
        return None
    try:
        _client(dsn).capture_event(_event(message, about, error))
    except Exception as broken:  # noqa: BLE001 - what is wrong with Sentry must not become wrong with a job
        return type(broken).__name__
    _traffic.reported = True
    return None


def pending() -> bool:
    """Return whether there is anything to flush."""
    return _traffic.reported


def flush() -> None:
    """Wait until what was reported has been sent: Lambda freezes a function when it has answered. Raises nothing."""
    with _traffic.lock:
        if not _traffic.reported:
            return
        _traffic.reported = False
        began = time.monotonic()
        if began < _traffic.unattended_until:
            return
        with contextlib.suppress(Exception):
            _client(os.environ["SENTRY_DSN"]).flush(timeout=FLUSH_SECONDS)
        if time.monotonic() - began >= FLUSH_SECONDS:
            _traffic.unattended_until = time.monotonic() + PATIENCE_SECONDS


@functools.lru_cache(maxsize=1)
def _client(dsn: str) -> Client:
    """A client of its own, and not the SDK's global one: nothing is patched, nothing else is ever recorded."""
    from sentry_sdk import Client  # noqa: PLC0415 - an eighth of a second

    return Client(
        dsn=dsn,
        release=os.environ.get("SENTRY_RELEASE") or "unreleased",  # the SDK would ask git
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
    # The exception's own text is left out: it may quote a prompt. Ours says what was being done.
    frames = [
        {"filename": _short(frame.filename), "function": frame.name, "lineno": frame.lineno, "in_app": _ours(frame)}
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    broken = {"type": type(error).__name__, "value": message, "stacktrace": {"frames": frames}}
    event["exception"] = {"values": [broken]}
    return event


def scrub(event: Event, _hint: Hint) -> Event:
    """Keep what is known to hold no user's words, whatever the SDK has added: the last gate before the network."""
    kept: Any = {name: value for name, value in event.items() if name in _KEPT_OF_EVENT}
    kept["tags"] = {name: value for name, value in (kept.get("tags") or {}).items() if name in TAGS}
    for broken in (kept.get("exception") or {}).get("values", ()):
        frames = (broken.get("stacktrace") or {}).get("frames", ())
        shortened = [{name: value for name, value in frame.items() if name in _KEPT_OF_FRAME} for frame in frames]
        broken["stacktrace"] = {"frames": shortened}
    scrubbed: Event = kept
    return scrubbed


def _short(filename: str) -> str:
    """Without the folders above ours: they name a machine."""
    for root in ("/shared/", "/functions/", "/site-packages/"):
        if root in filename:
            return (root + filename.rpartition(root)[2]).lstrip("/")
    return os.path.basename(filename)


def _ours(frame: traceback.FrameSummary) -> bool:
    return _short(frame.filename).startswith(("shared/", "functions/", "app.py"))
