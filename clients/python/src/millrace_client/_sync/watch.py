"""Watch one job over any number of connections: no event is lost or given twice."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import httpx
from httpx_sse import EventSource, SSEError

from millrace_client import models
from millrace_client._sync.calls import Calls
from millrace_client.backoff import full_jitter
from millrace_client.errors import JobCancelled, JobFailed, MillraceError, Unreachable, Unreadable
from millrace_client.view import Gap, JobView, WatchedEvent, parse_event

if TYPE_CHECKING:
    from millrace_client._sync.client import Millrace

NO_CONTENT = 204
MAX_UNREADABLE = 3
"""How many consecutive connections may fail with an unreadable stream before the watch fails."""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """In seconds. The server sends a heartbeat every 15 s, so after a silence of 45 s three of them are missing."""

    first_wait: float = 1
    silence: float = 45
    idle_limit: float = 120


class Watch:
    """The events of a job, and what they amount to.

    Read the events with `for`, or only the `result`. The events end with the job. The watch reconnects after
    faults of the network and of the service, until it has received nothing for two minutes: then it raises
    Unreachable. It raises Refused if the API refuses the request. After such an error, or if the reader stopped in
    the middle, or the job was resumed, the next iteration continues after the last event.
    """

    def __init__(
        self,
        client: Millrace,
        calls: Calls,
        job: str | models.JobAccepted | models.JobDetail,
        *,
        after: int = 0,
        times: WatchTimes | None = None,
    ) -> None:
        self.view = JobView(job_id=job if isinstance(job, str) else job.job_id, last_event_id=after)
        self._client = client
        self._calls = calls
        self._url = None if isinstance(job, str) else job.stream_url
        self._times = WatchTimes() if times is None else times
        self._tab = uuid.uuid4().hex
        self._wait = self._times.first_wait
        self._last_sign = monotonic()

    @property
    def job_id(self) -> str:
        """The job's id."""
        return str(self.view.job_id)

    def result(self) -> dict[str, Any]:
        """Wait for the job's end and return its result. Raises JobFailed, JobCancelled, Refused and Unreachable."""
        for _ in self:
            pass
        self.raise_for_outcome()
        return self.view.result or {}

    def raise_for_outcome(self) -> None:
        """Raise JobFailed or JobCancelled if the job has ended in that way."""
        if self.view.outcome == "error" and self.view.failure is not None:
            raise JobFailed(self.job_id, self.view.failure)
        if self.view.outcome == "cancelled":
            raise JobCancelled(self.job_id)

    def __iter__(self) -> Generator[WatchedEvent, None, None]:
        self._last_sign = monotonic()
        faults = 0
        while True:
            fault: Exception | None = None
            opened_at = monotonic()
            try:
                with closing(self._connection()) as events:
                    for event in events:
                        faults = 0
                        yield event
                if self.view.outcome is not None:
                    return
            except (Unreachable, Unreadable, Gap) as error:
                fault = error
                self._raise_if_final(error, faults)
            # The server ends every connection after its time window. That is a fault only if it happens immediately.
            faults = 0 if fault is None and monotonic() - opened_at >= self._wait else faults + 1
            if faults > 0:
                asked = fault.retry_after or 0 if isinstance(fault, Unreachable) else 0
                sleep(max(asked, full_jitter(self._wait, faults)))

    def _raise_if_final(self, error: Exception, faults: int) -> None:
        """Raise the error if there is no sense in another connection."""
        if not isinstance(error, Unreachable) and faults >= MAX_UNREADABLE:
            raise error if isinstance(error, MillraceError) else Unreadable(str(error)) from error
        if monotonic() - self._last_sign >= self._times.idle_limit:
            raise error if isinstance(error, MillraceError) else Unreachable(str(error)) from error

    def _connection(self) -> Generator[WatchedEvent, None, None]:
        """Return the events of one connection that are new. Return at the end of the job or of the connection."""
        headers = {"Accept": "text/event-stream"}
        if self.view.last_event_id > 0:
            headers["Last-Event-ID"] = str(self.view.last_event_id)
        url = str(httpx.URL(self._stream_url()).copy_merge_params({"tab": self._tab}))
        # A stream may last as long as it likes, but it is never silent for long.
        timeout = httpx.Timeout(self._times.silence)
        with self._calls.open("GET", url, headers=headers, timeout=timeout) as response:
            if response.status_code != NO_CONTENT:
                with closing(self._events(response)) as events:
                    yield from events
                return
        # The job has ended, and this watch has seen all of its events.
        self.view.replace_by(self._client.get_job(self.job_id))

    def _events(self, response: httpx.Response) -> Generator[WatchedEvent, None, None]:
        try:
            for sse in EventSource(response).iter_sse():
                self._last_sign = monotonic()
                if sse.retry is not None:
                    self._wait = sse.retry / 1000
                if not sse.data:
                    continue
                event = parse_event(sse.data)
                if isinstance(event, models.Connected):
                    self.view.pipeline = event.pipeline
                    # A job whose last end this watch has seen has no stream (204), so this one was resumed.
                    self.view.outcome = self.view.failure = None
                elif self.view.apply(_number(sse.id), event):
                    yield WatchedEvent(self.view.last_event_id, event)
                if self.view.outcome is not None:
                    return
        except SSEError as error:
            raise Unreadable(str(error)) from error
        except httpx.TransportError as error:
            raise Unreachable(f"the connection broke: {error or type(error).__name__}") from error

    def _stream_url(self) -> str:
        if self._url is None:
            self._url = (self._client.get_job(self.job_id)).stream_url
        return self._url


def _number(event_id: str) -> int:
    if not event_id.isdecimal():
        raise Unreadable(f"the stream has an event with the id {event_id!r}, which is no number")
    return int(event_id)
