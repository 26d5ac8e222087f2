"""Build the URLs that responses name."""

from __future__ import annotations

from fastapi import Request


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
