"""The client: every operation of the API, and watches of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

import httpx

from millrace_client import models
from millrace_client._async.calls import AsyncCalls, AsyncTokenSource
from millrace_client._async.operations import AsyncOperations
from millrace_client._async.watch import AsyncWatch
from millrace_client._model import ApiModel, to_json

P = ParamSpec("P")

TIMEOUT = httpx.Timeout(30)
"""How long a request may take, in seconds: API Gateway answers within 30."""


class Page(Protocol):
    """One page of a list."""

    @property
    def cursor(self) -> str | None: ...


Pages = TypeVar("Pages", bound=Page)


class AsyncMillrace(AsyncOperations):
    """The client of one API with one user's token. Close it, or use it in a `with` block."""

    def __init__(self, api: str, token: AsyncTokenSource, *, http: httpx.AsyncClient | None = None) -> None:
        """`api` is the origin of the HTTP API. `http` has settings of yours, such as a proxy; the caller closes it."""
        self._http = httpx.AsyncClient(timeout=TIMEOUT) if http is None else http
        self._owns_http = http is None
        super().__init__(AsyncCalls(api, token, self._http))

    async def __aenter__(self) -> AsyncMillrace:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owns_http:
            await self._http.aclose()

    def watch(self, job: str | models.JobAccepted | models.JobDetail, *, after: int = 0) -> AsyncWatch:
        """Return a watch of the job, which opens a connection when its events are read.

        `after` is the number of the last event that the caller has already seen; the view then lacks what came before.
        """
        return AsyncWatch(self, self._calls, job, after=after)

    async def start_job(
        self,
        pipeline: str,
        body: Mapping[str, Any] | ApiModel,
        *,
        links: Mapping[str, Any] | models.JobLinksRequest | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncWatch:
        """Create a job with the input `body`, and return a watch of it."""
        request = {"pipeline": pipeline, "input": to_json(body)}
        if links is not None:
            request["links"] = to_json(links)
        return self.watch(await self.create_job(request, idempotency_key=idempotency_key))

    async def run_job(
        self,
        pipeline: str,
        body: Mapping[str, Any] | ApiModel,
        *,
        links: Mapping[str, Any] | models.JobLinksRequest | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Create a job, wait for its end, and return its result. Raises JobFailed and JobCancelled."""
        watch = await self.start_job(pipeline, body, links=links, idempotency_key=idempotency_key)
        return await watch.result()

    async def pages(
        self, operation: Callable[P, Awaitable[Pages]], *args: P.args, **filters: P.kwargs
    ) -> AsyncIterator[Pages]:
        """Return all pages of a list: `millrace.pages(millrace.list_jobs, status="failed")`."""
        while True:
            page = await operation(*args, **filters)
            yield page
            if page.cursor is None:
                return
            filters["cursor"] = page.cursor
