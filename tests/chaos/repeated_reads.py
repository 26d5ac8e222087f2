"""Send a GET again while it is answered 503, as every client of the API may."""

from __future__ import annotations

import asyncio

import httpx

ATTEMPTS = 10


class RepeatedReads(httpx.AsyncBaseTransport):
    """HTTP that sends a GET up to ten times until its status is not 503. A fault that no attempt used is used here."""

    def __init__(self, limits: httpx.Limits) -> None:
        self._http = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response, or the last of ten."""
        response = await self._http.handle_async_request(request)
        for _ in range(ATTEMPTS - 1):
            if request.method != "GET" or response.status_code != 503:
                break
            await response.aclose()
            await asyncio.sleep(0.2)
            response = await self._http.handle_async_request(request)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()
