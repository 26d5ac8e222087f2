"""A client of the API, as an application would write one: every operation, and following a job to its end.

ClientError
├── Refused      the API answered no, and says why; asking again is pointless but for `retry_after`
├── Unreachable  the network or the service failed, and went on failing for as long as the client is patient
└── Unreadable   the answer is not one of this API: another server, or a newer one
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import httpx
from httpx_sse import EventSource, SSEError, connect_sse
from pydantic import ValidationError

from local.loopback import is_loopback
from shared.log.events import STREAM_EVENT, TERMINAL, Connected, Snapshot, StreamEvent
from shared.schema import Schema
from shared.web.agents import AgentDeleted, AgentDetail, AgentList
from shared.web.envelope import ErrorBody, ErrorEnvelope, Meta
from shared.web.jobs import JobAccepted, JobDetail, JobList, JobSummary, StreamTicket
from shared.web.runs import ActiveJob, LineageDetail, RunAccepted, RunDeleted, RunList

FIRST_WAIT: Final = 1.0
"""Seconds before coming back, until the server's `retry:` says otherwise."""

LONGEST_WAIT: Final = 15.0
SILENCE: Final = 45.0
"""Seconds without a byte after which a stream counts as lost; the server's heartbeats come every 15."""

T = TypeVar("T", bound=Schema)
D = TypeVar("D", bound=Schema)


class ClientError(Exception):
    """Base of everything the client raises."""


class Refused(ClientError):
    """The API said no. `retry_after` in seconds, when it says when to come back."""

    def __init__(self, status: int, error: ErrorBody, retry_after: int | None) -> None:
        super().__init__(f"{status} {error.code}: {error.message}")
        self.status = status
        self.error = error
        self.retry_after = retry_after


class Unreachable(ClientError):
    """No answer came, or none but server errors."""


class Unreadable(ClientError):
    """What came is not an answer of this API."""


@dataclass(frozen=True, slots=True)
class Received:
    """One event; `id` is None for `connected`, which says that a (further) connection has begun."""

    id: int | None
    event: StreamEvent


class _Lost(Exception):
    """A connection ended in a fault that another one may not meet."""


@dataclass(slots=True)
class _Returns:
    """When to come back: the server's `retry:`, doubled for each connection in a row that ended in a fault."""

    patience: int
    base: float = FIRST_WAIT
    faults: int = 0

    def worked(self) -> None:
        self.faults = 0

    def failed(self, fault: Exception) -> None:
        self.faults += 1
        if self.faults > self.patience:
            raise Unreachable(f"gave up after {self.faults} connections in a row: {fault}") from fault

    def wait(self) -> float:
        """Seconds, with up to a fifth more, so that watchers of one server that fell do not return as one."""
        longest = max(LONGEST_WAIT, self.base)
        return min(longest, self.base * 2.0 ** max(0, self.faults - 1)) * random.uniform(1, 1.2)  # noqa: S311


class JobsClient:
    """Calls the API at `api_url` with a bearer token; a context manager. May be used by several threads.

    `patience`: how many connections in a row may fail before a stream is given up. `sleep` takes seconds.
    `transport` takes the place of the network.
    """

    def __init__(
        self,
        api_url: str,
        token: str,
        *,
        patience: int = 6,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._api = api_url.rstrip("/")
        self._patience = patience
        self._sleep = sleep
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30, connect=5),
            trust_env=not is_loopback(api_url),  # a proxy does not reach the ports of this machine
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # ---- operations ----------------------------------------------------------------------------------------------

    def create(self, pipeline: str, job_input: Mapping[str, Any], *, idempotency_key: str | None = None) -> JobAccepted:
        """Raises Refused, Unreachable."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = {"pipeline": pipeline, "input": dict(job_input)}
        return self._call(JobAccepted, "POST", "/jobs", json=body, headers=headers)

    def runs(self, path: str, detail: type[D]) -> RunsClient[D]:
        """Return a client for the runs of one application: `path` is that of its list, `detail` what one run is."""
        return RunsClient(self._call, path, detail)

    def new_agent(self, settings: Mapping[str, Any]) -> AgentDetail:
        """`settings` are the fields of `POST /agents`."""
        return self._call(AgentDetail, "POST", "/agents", json=dict(settings))

    def agents(self, **filters: str | int) -> AgentList:
        return self._call(AgentList, "GET", "/agents", params=filters)

    def agent(self, agent_id: str, **parameters: int) -> AgentDetail:
        """The latest version, or `version=` one."""
        return self._call(AgentDetail, "GET", f"/agents/{agent_id}", params=parameters)

    def change_agent(self, agent_id: str, changes: Mapping[str, Any]) -> AgentDetail:
        """`changes` are the fields of `PATCH /agents/{agentId}`; answers the next version."""
        return self._call(AgentDetail, "PATCH", f"/agents/{agent_id}", json=dict(changes))

    def delete_agent(self, agent_id: str) -> AgentDeleted:
        return self._call(AgentDeleted, "DELETE", f"/agents/{agent_id}")

    def get(self, job_id: str) -> JobDetail:
        return self._call(JobDetail, "GET", f"/jobs/{job_id}")

    def list(self, **filters: str | int) -> JobList:
        """Filters are the query parameters of `GET /jobs`."""
        return self._call(JobList, "GET", "/jobs", params=filters)

    def cancel(self, job_id: str) -> JobSummary:
        return self._call(JobSummary, "POST", f"/jobs/{job_id}/cancel")

    def resume(self, job_id: str) -> JobSummary:
        """Restart a failed or cancelled job; its stream goes on after the last event seen."""
        return self._call(JobSummary, "POST", f"/jobs/{job_id}/resume")

    def ticket(self, job_id: str) -> StreamTicket:
        return self._call(StreamTicket, "POST", f"/jobs/{job_id}/stream-tickets")

    def _call(self, answer: type[T], method: str, path: str, **request: Any) -> T:
        try:
            response = self._http.request(method, f"{self._api}{path}", **request)
        except httpx.TransportError as error:
            raise Unreachable(f"{method} {path}: {_name(error)}") from error
        if response.is_error:
            raise _refusal(response)
        return _data(answer, response)

    # ---- the stream ----------------------------------------------------------------------------------------------

    def follow(self, stream_url: str, *, after: int = 0) -> Iterator[Received]:
        """Every event beyond `after`, once and in order, to the terminal one, over as many connections as it takes.

        Ends after the terminal event, or at once when `after` already was that one. A connection that ends without it
        (its window is over, or the network broke) is followed by another. Raises Refused, Unreachable, Unreadable.
        """
        last = after
        returns = _Returns(self._patience)
        tab = secrets.token_hex(8)  # by which we keep our slot from one connection to the next
        while True:
            heard = False
            try:
                for received in self._connection(stream_url, tab, last, returns):
                    if received.id is not None:
                        last = received.id
                        returns.worked()
                    heard = True
                    yield received
                    if received.event.type in TERMINAL:
                        return
                if not heard:
                    raise _Lost("a connection ended before it began")  # noqa: TRY301 - one path for all faults
                returns.worked()
            except _Ended:
                return
            except _Lost as fault:
                returns.failed(fault)
            self._sleep(returns.wait())

    def _connection(self, url: str, tab: str, last: int, returns: _Returns) -> Iterator[Received]:
        """One connection's events. Raises _Lost, and _Ended when there is nothing beyond `last` and never will be."""
        headers = {"Last-Event-ID": str(last)} if last else {}
        timeout = httpx.Timeout(SILENCE, connect=5)
        try:
            with connect_sse(
                self._http, "GET", url, params=_with_tab(url, tab), headers=headers, timeout=timeout
            ) as source:
                _check(source.response)
                for received in _events(source, returns):
                    if received.id is not None:
                        if received.id <= last:
                            continue
                        if received.id > last + 1 and not isinstance(received.event, Snapshot):
                            raise _Lost(f"event {last + 1} is missing")
                        last = received.id
                    yield received
        except httpx.TransportError as error:
            raise _Lost(_name(error)) from error


class RunsClient(Generic[D]):
    """The operations on an application's runs. Each raises Refused, Unreachable."""

    def __init__(self, call: Callable[..., Any], path: str, detail: type[D]) -> None:
        self._call = call
        self._path = path
        self._detail = detail

    def create(self, parameters: Mapping[str, Any], *, idempotency_key: str | None = None) -> RunAccepted:
        """Create a run and start its job."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        accepted: RunAccepted = self._call(RunAccepted, "POST", self._path, json=dict(parameters), headers=headers)
        return accepted

    def get(self, run_id: str) -> D:
        found: D = self._call(self._detail, "GET", f"{self._path}/{run_id}")
        return found

    def list(self, **filters: str | int) -> RunList:
        """`filters` are the query parameters of the list."""
        page: RunList = self._call(RunList, "GET", self._path, params=filters)
        return page

    def active_job(self, run_id: str) -> ActiveJob:
        """Return the live job, to follow after its `last_event_id`; the fields are None if there is no live job."""
        active: ActiveJob = self._call(ActiveJob, "GET", f"{self._path}/{run_id}/active-job")
        return active

    def lineage(self, run_id: str) -> LineageDetail:
        lineage: LineageDetail = self._call(LineageDetail, "GET", f"{self._path}/{run_id}/lineage")
        return lineage

    def delete(self, run_id: str) -> RunDeleted:
        deleted: RunDeleted = self._call(RunDeleted, "DELETE", f"{self._path}/{run_id}")
        return deleted


class _Ended(Exception):
    """204: the job has ended and everything about it was received."""


def _check(response: httpx.Response) -> None:
    if response.status_code == 204:
        raise _Ended
    if response.is_error:
        response.read()
        refusal = _refusal(response)
        raise _Lost(str(refusal)) if isinstance(refusal, Unreachable) else refusal


def _events(source: EventSource, returns: _Returns) -> Iterator[Received]:
    try:
        for sent in source.iter_sse():
            if sent.retry is not None:
                returns.base = sent.retry / 1000
            if not sent.data:
                continue  # a heartbeat
            event = STREAM_EVENT.validate_json(sent.data)
            # The decoder keeps the last id for events that have none of their own; `connected` is the one without.
            yield Received(None if isinstance(event, Connected) else int(sent.id), event)
    except (SSEError, ValueError) as error:
        raise Unreadable(f"{source.response.url.path}: {error}") from error


def _with_tab(url: str, tab: str) -> httpx.QueryParams:
    """The query of `url` (a ticket, perhaps) with the tab in it: given `params` replace what a URL has."""
    return httpx.URL(url).params.set("tab", tab)


def _refusal(response: httpx.Response) -> Refused | Unreachable | Unreadable:
    """A 5xx is a fault like one of the network: the service could not say whether it would refuse."""
    status = f"{response.url.path}: status {response.status_code}"
    try:
        error = ErrorEnvelope.model_validate_json(response.content).error
    except ValidationError:
        return (Unreachable if response.status_code >= 500 else Unreadable)(f"{status}, without this API's envelope")
    if response.status_code >= 500:
        return Unreachable(f"{status}, {error.message}")
    header = response.headers.get("Retry-After", "")
    return Refused(response.status_code, error, int(header) if header.isdecimal() else None)


class _Answer(Schema):
    """Any successful answer, its data still unread."""

    success: bool
    data: Any
    meta: Meta


def _data(answer: type[T], response: httpx.Response) -> T:
    try:
        return answer.model_validate(_Answer.model_validate_json(response.content).data)
    except ValidationError as error:
        raise Unreadable(f"{response.url.path}: {error}") from error


def _name(error: Exception) -> str:
    return f"{type(error).__name__} ({error})" if str(error) else type(error).__name__
