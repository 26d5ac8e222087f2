"""Sets the behaviour of a running scripted model, and reads its request records."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

_TIMEOUT = 120.0
"""Seconds. A busy machine is slow, so only a hang may take longer."""


class ModelControl:
    """`url` is the server's origin or its OpenAI base URL, which ends in `/v1`. Not thread-safe."""

    def __init__(self, url: str) -> None:
        origin = url.removesuffix("/").removesuffix("/v1")
        # For plain HTTP. Without it httpx reads the machine's certificates, which takes 15 ms.
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._http = httpx.Client(base_url=origin, trust_env=False, verify=plain, timeout=_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def script(self, *, match: str | None = None, times: int | None = None, **behaviour: Any) -> None:
        """Add a rule; `behaviour` has fields of `local.model.behaviour.Behaviour`. Raises ValueError."""
        rule = {"match": match, "times": times, "behaviour": behaviour}
        response = self._http.post("/_script", json=rule)
        if response.is_error:
            raise ValueError(response.json()["error"]["message"])

    def release(self, match: str) -> None:
        """Continue the responses that pause (`pause_after`), now or later, and whose request contains `match`."""
        self._http.post("/_release", json={"match": match}).raise_for_status()

    def clear(self) -> None:
        """Delete all rules, releases and request records."""
        self._http.delete("/_script").raise_for_status()
        self._http.delete("/_requests").raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """Return the request records, oldest first; the fields are those of `local.model.requests.RequestRecord`."""
        records: list[dict[str, Any]] = self._http.get("/_requests").raise_for_status().json()["requests"]
        return records

    def wait_for_request(self, fits: Callable[[dict[str, Any]], bool], *, timeout: float = 300) -> dict[str, Any]:
        """Wait at most `timeout` seconds for a request that fits, and return it. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = next(filter(fits, self.requests()), None)
            if found is not None:
                return found
            time.sleep(0.01)
        raise TimeoutError(f"no such request within {timeout} s, only {self.requests()}")
