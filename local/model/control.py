"""Tells a running scripted model what to do next, and reads what it was asked."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx


class ModelControl:
    """`url` is the server's origin or its OpenAI base URL (ending in `/v1`). Not for several threads at once."""

    def __init__(self, url: str) -> None:
        origin = url.removesuffix("/").removesuffix("/v1")
        # Plain HTTP: a context of httpx's own would read the machine's certificates, at 15 ms a time.
        self._http = httpx.Client(base_url=origin, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def script(self, *, match: str | None = None, times: int | None = None, **behaviour: Any) -> None:
        """Settings are the fields of `local.model.behaviour.Behaviour`."""
        rule = {"match": match, "times": times, "behaviour": behaviour}
        answer = self._http.post("/_script", json=rule)
        if answer.is_error:
            raise ValueError(answer.json()["error"]["message"])

    def clear(self) -> None:
        """Forget the rules and the requests."""
        self._http.delete("/_script").raise_for_status()
        self._http.delete("/_requests").raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """Oldest first; the fields are those of `local.model.requests.RequestRecord`."""
        records: list[dict[str, Any]] = self._http.get("/_requests").raise_for_status().json()["requests"]
        return records

    def wait_for_request(self, fits: Callable[[dict[str, Any]], bool], *, timeout: float = 60) -> dict[str, Any]:
        """The first request that fits, waited for at most `timeout` seconds. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = next(filter(fits, self.requests()), None)
            if found is not None:
                return found
            time.sleep(0.01)
        raise TimeoutError(f"no such request within {timeout} s; there were {self.requests()}")
