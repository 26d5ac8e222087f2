"""Build the URLs that responses name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?", re.IGNORECASE)


def with_safe_headers(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return API Gateway's event with headers from which URLs can be built.

    The host is the domain of the API that API Gateway names, whatever `Host` the client sent.
    """
    domain = str(event.get("requestContext", {}).get("domainName", ""))
    headers = {**(event.get("headers") or {}), "host": domain if _HOST.fullmatch(domain) else "localhost"}
    if headers.get("x-forwarded-proto") != "http":
        headers["x-forwarded-proto"] = "https"
    if not str(headers.get("x-forwarded-port", "")).isdecimal():
        headers.pop("x-forwarded-port", None)
    return {**event, "headers": headers}


class Urls:
    """Build the URLs of a job: those of the API, and that of its stream, which has its own origin."""

    def __init__(self, request: Request, stream_url: str) -> None:
        self._api = str(request.base_url).rstrip("/")
        self._stream = stream_url.rstrip("/")

    def status(self, job_id: str) -> str:
        """Return the URL of the job."""
        return self.api(f"/jobs/{job_id}")

    def stream(self, job_id: str) -> str:
        """Return the URL of the job's stream."""
        return f"{self._stream}/jobs/{job_id}/stream"

    def api(self, path: str) -> str:
        """Return the URL of a path of the API, which begins with a slash."""
        return f"{self._api}{path}"
