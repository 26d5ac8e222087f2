"""A client of the API, as an application would write one: it has every operation, and follows a job to its end.

ClientError
├── Refused      the API refused the request with a code; a repeat is useless, except after `retry_after`
├── Unreachable  the network or the service failed, in as many connections in a row as the client's patience allows
└── Unreadable   the response is not one of this API: another server sent it, or a newer version
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
from shared.log.events import TERMINAL, Connected, Snapshot, StreamEvent, parse_stream_event
from shared.schema import Schema
from shared.web.agents import AgentDeleted, AgentDetail, AgentList
from shared.web.envelope import ErrorBody, ErrorEnvelope, Meta
from shared.web.jobs import JobAccepted, JobDetail, JobList, JobSummary, StreamTicket
from shared.web.run_id import RunDeleted
from shared.web.runs import ActiveJob, LineageDetail, RunAccepted, RunList

FIRST_WAIT: Final = 1.0
"""Seconds before the next connection, until the server sends `retry:`."""

LONGEST_WAIT: Final = 15.0
SILENCE: Final = 45.0
"""Seconds without a byte after which the client drops a connection; the server sends a heartbeat every 15."""

T = TypeVar("T", bound=Schema)
D = TypeVar("D", bound=Schema)


class ClientError(Exception):
    """Base class of all errors of the client."""


class Refused(ClientError):
    """The API refused the request. `retry_after`: seconds to wait before a repeat, if the response says so."""

    def __init__(self, status: int, error: ErrorBody, retry_after: int | None) -> None:
        super().__init__(f"{status} {error.code}: {error.message}")
        self.status = status
        self.error = error
        self.retry_after = retry_after


class Unreachable(ClientError):
    """There was no response, or only server errors."""


class Unreadable(ClientError):
    """The response does not fit this API."""


@dataclass(frozen=True, slots=True)
class Received:
    """One event; `id` is None for `connected`, the first event of each connection."""

    id: int | None
    event: StreamEvent


class _Lost(Exception):
    """A connection failed; the next one may succeed."""


@dataclass(slots=True)
class Reconnection:
    """Decides when to connect again: after the server's `retry:`, doubled for each failed connection in a row."""

    patience: int
    base: float = FIRST_WAIT
    faults: int = 0

    def succeeded(self) -> None:
        self.faults = 0

    def failed(self, fault: Exception) -> None:
        self.faults += 1
        if self.faults > self.patience:
            raise Unreachable(f"{self.faults} connections in a row failed: {fault}") from fault

    def wait(self) -> float:
        """Return the seconds to wait, with up to 20 % added at random, so that clients do not reconnect all at once."""
        longest = max(LONGEST_WAIT, self.base)
        return min(longest, self.base * 2.0 ** max(0, self.faults - 1)) * random.uniform(1, 1.2)  # noqa: S311


class JobsClient:
    """Calls the API at `api_url` with a bearer token; a context manager. Thread-safe.

    `patience`: the number of connections in a row that may fail before `follow` raises Unreachable.
    `sleep`: waits that many seconds. `transport`: replaces the network in tests.
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
        """Create a job. Raises Refused, Unreachable."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = {"pipeline": pipeline, "input": dict(job_input)}
        return self.call(JobAccepted, "POST", "/jobs", json=body, headers=headers)

    def runs(self, path: str, detail: type[D]) -> RunsClient[D]:
        """Return a client for the runs of one application: `path` is that of its list, `detail` the data of one run."""
        return RunsClient(self.call, path, detail)

    def new_agent(self, settings: Mapping[str, Any]) -> AgentDetail:
        """Create an agent; `settings` are the fields of `POST /agents`."""
        return self.call(AgentDetail, "POST", "/agents", json=dict(settings))

    def agents(self, **filters: str | int) -> AgentList:
        return self.call(AgentList, "GET", "/agents", params=filters)

    def agent(self, agent_id: str, **parameters: int) -> AgentDetail:
        """Return the latest version, or the one of `version=`."""
        return self.call(AgentDetail, "GET", f"/agents/{agent_id}", params=parameters)

    def change_agent(self, agent_id: str, changes: Mapping[str, Any]) -> AgentDetail:
        """Store and return the next version; `changes` are the fields of `PATCH /agents/{agentId}`."""
        return self.call(AgentDetail, "PATCH", f"/agents/{agent_id}", json=dict(changes))

    def delete_agent(self, agent_id: str) -> AgentDeleted:
        return self.call(AgentDeleted, "DELETE", f"/agents/{agent_id}")

    def get(self, job_id: str) -> JobDetail:
        return self.call(JobDetail, "GET", f"/jobs/{job_id}")

    def list(self, **filters: str | int) -> JobList:
        """Return one page of jobs; `filters` are the query parameters of `GET /jobs`."""
        return self.call(JobList, "GET", "/jobs", params=filters)

    def cancel(self, job_id: str) -> JobSummary:
        return self.call(JobSummary, "POST", f"/jobs/{job_id}/cancel")

    def resume(self, job_id: str) -> JobSummary:
        """Resume a failed or cancelled job; its stream continues after the last event."""
        return self.call(JobSummary, "POST", f"/jobs/{job_id}/resume")

    def ticket(self, job_id: str) -> StreamTicket:
        return self.call(StreamTicket, "POST", f"/jobs/{job_id}/stream-tickets")

    def call(self, data: type[T], method: str, path: str, **request: Any) -> T:
        """Call an operation and return the `data` of its response, such as one of an application's own operations."""
        try:
            response = self._http.request(method, f"{self._api}{path}", **request)
        except httpx.TransportError as error:
            raise Unreachable(f"{method} {path}: {_name(error)}") from error
        if response.is_error:
            raise _refusal(response)
        return _data(data, response)

    # ---- the stream ----------------------------------------------------------------------------------------------

    def follow(self, stream_url: str, *, after: int = 0) -> Iterator[Received]:
        """Yield every event after `after`, once and in order, up to the terminal event, over one or more connections.

        If a connection ends before the terminal event, because its window is over or the network failed, the client
        connects again. If `after` is the terminal event, there are no events. Raises Refused, Unreachable, Unreadable.
        """
        last = after
        reconnection = Reconnection(self._patience)
        tab = secrets.token_hex(8)  # keeps the slot from one connection to the next
        while True:
            received_any = False
            try:
                for received in self._connection(stream_url, tab, last, reconnection):
                    if received.id is not None:
                        last = received.id
                        reconnection.succeeded()
                    received_any = True
                    yield received
                    if received.event.type in TERMINAL:
                        return
                if not received_any:
                    raise _Lost("a connection ended before its first event")  # noqa: TRY301 - one path for all faults
                reconnection.succeeded()
            except _Ended:
                return
            except _Lost as fault:
                reconnection.failed(fault)
            self._sleep(reconnection.wait())

    def _connection(self, url: str, tab: str, last: int, reconnection: Reconnection) -> Iterator[Received]:
        """Yield one connection's events. Raises _Lost, and _Ended if no event will ever follow `last`."""
        headers = {"Last-Event-ID": str(last)} if last else {}
        timeout = httpx.Timeout(SILENCE, connect=5)
        try:
            with connect_sse(
                self._http, "GET", url, params=_with_tab(url, tab), headers=headers, timeout=timeout
            ) as source:
                _check(source.response)
                for received in _events(source, reconnection):
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
    """204: the job has ended, and the client has received all of its events."""


def _check(response: httpx.Response) -> None:
    if response.status_code == 204:
        raise _Ended
    if response.is_error:
        response.read()
        refusal = _refusal(response)
        raise _Lost(str(refusal)) if isinstance(refusal, Unreachable) else refusal


def _events(source: EventSource, reconnection: Reconnection) -> Iterator[Received]:
    try:
        for sent in source.iter_sse():
            if sent.retry is not None:
                reconnection.base = sent.retry / 1000
            if not sent.data:
                continue  # a heartbeat
            event = parse_stream_event(sent.data)
            # For an event without an id the decoder repeats the last one; only `connected` has no id.
            yield Received(None if isinstance(event, Connected) else int(sent.id), event)
    except (SSEError, ValueError) as error:
        raise Unreadable(f"{source.response.url.path}: {error}") from error


def _with_tab(url: str, tab: str) -> httpx.QueryParams:
    """Return the query of the URL, such as a ticket, with the tab added: httpx's `params` replace the whole query."""
    return httpx.URL(url).params.set("tab", tab)


def _refusal(response: httpx.Response) -> Refused | Unreachable | Unreadable:
    """Return the error for an error response. A 5xx counts as a fault of the network: a repeat may succeed."""
    status = f"{response.url.path}: status {response.status_code}"
    try:
        error = ErrorEnvelope.model_validate_json(response.content).error
    except ValidationError:
        return (Unreachable if response.status_code >= 500 else Unreadable)(f"{status}, without an error envelope")
    if response.status_code >= 500:
        return Unreachable(f"{status}, {error.message}")
    header = response.headers.get("Retry-After", "")
    return Refused(response.status_code, error, int(header) if header.isdecimal() else None)


class _Envelope(Schema):
    """A successful response with data of any kind."""

    success: bool
    data: Any
    meta: Meta


def _data(data: type[T], response: httpx.Response) -> T:
    try:
        return data.model_validate(_Envelope.model_validate_json(response.content).data)
    except ValidationError as error:
        raise Unreadable(f"{response.url.path}: {error}") from error


def _name(error: Exception) -> str:
    return f"{type(error).__name__} ({error})" if str(error) else type(error).__name__
