"""Requests to the API: add the bearer token, unwrap the envelope, and repeat a failed request if that is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import sleep
from typing import Any, TypeAlias

import httpx

from millrace_client._model import to_json
from millrace_client.backoff import full_jitter
from millrace_client.errors import MillraceError, Unreachable
from millrace_client.wire import data_of, error_of, is_successful, query_of

TokenSource: TypeAlias = str | Callable[[str | None], str]
"""A bearer token, or a function that returns one. The function gets the token that the API has refused, or None."""

UNAUTHENTICATED = 401
MAX_ATTEMPTS = 4
FIRST_WAIT = 0.5
"""In seconds."""


class Calls:
    """Calls of one API with one user's token."""

    def __init__(self, origin: str, token: TokenSource, http: httpx.Client) -> None:
        self._origin = origin.rstrip("/")
        self._token = token
        self._http = http

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Any = None,
        repeatable: bool = False,
    ) -> Any:
        """Return the data of the response, None for 304. Raises Refused, Unreachable and Unreadable."""
        attempt = 1
        while True:
            try:
                return self._once(method, path, query or {}, headers or {}, body)
            except Unreachable as error:
                if not repeatable or attempt >= MAX_ATTEMPTS:
                    raise
                sleep(max(error.retry_after or 0, full_jitter(FIRST_WAIT, attempt)))
                attempt += 1

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        json: Any = None,
        timeout: httpx.Timeout | None = None,
    ) -> Iterator[httpx.Response]:
        """Open a successful response, whose body the caller reads.

        If the API refuses the token, get a new one and send the request once more. Raises Refused, Unreachable and
        Unreadable.
        """
        token = self._current_token(None)
        for is_last in (isinstance(self._token, str), True):
            request = self._request(method, url, token, headers, json, timeout)
            try:
                response = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                raise Unreachable(f"the server cannot be reached: {error or type(error).__name__}") from error
            try:
                if is_successful(response):
                    yield response
                    return
                _read(response)
            finally:
                response.close()
            fresh = token
            if response.status_code == UNAUTHENTICATED and not is_last:
                fresh = self._current_token(token)
            if fresh == token:
                raise error_of(response)
            token = fresh

    def _request(
        self,
        method: str,
        url: str,
        token: str,
        headers: Mapping[str, str],
        json: Any,
        timeout: httpx.Timeout | None,
    ) -> httpx.Request:
        return self._http.build_request(
            method,
            url,
            headers={**headers, "Authorization": f"Bearer {token}"},
            json=json,
            timeout=self._http.timeout if timeout is None else timeout,
        )

    def _once(
        self, method: str, path: str, query: Mapping[str, Any], headers: Mapping[str, str | None], body: Any
    ) -> Any:
        url = str(httpx.URL(self._origin + path, params=query_of(query)))
        given = {name: value for name, value in headers.items() if value is not None}
        with self.open(method, url, headers=given, json=to_json(body)) as response:
            _read(response)
            return data_of(response)

    def _current_token(self, stale: str | None) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            return self._token(stale)
        except MillraceError:
            raise
        except Exception as error:
            raise Unreachable(f"the token function failed: {error}") from error


def _read(response: httpx.Response) -> None:
    try:
        response.read()
    except httpx.TransportError as error:
        raise Unreachable(f"the connection broke: {error or type(error).__name__}") from error
