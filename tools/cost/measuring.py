"""Run jobs on the local stack, with one watcher each, and count what they use."""

from __future__ import annotations

import json
import math
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

from local.api.client import JobsClient
from local.demo.pipeline import Accepted, PipelineDemo, demos
from local.model.control import ModelControl
from local.stack import ROOT, WITHOUT_RATE_LIMITS, LocalStack
from local.template.template import Function
from shared.log.events import Complete
from shared.log.usage import ComputeUsage
from tools.cost.counts import (
    ITEM_BYTES,
    LOG_LINE_BYTES,
    MONTH_SECONDS,
    Counts,
    Invoked,
    SweepCounts,
    TableUse,
    item_bytes,
)
from tools.cost.deployed import resolved

T = TypeVar("T")
WARM_UP = 2
"""Jobs of a pipeline that run first on a stack and are not counted."""

SWEEPS = 5
"""Sweeps that are counted."""

_ARRIVED_WITHIN = 240.0  # seconds, on a busy machine


class CountingFailed(Exception):
    """The counts are not complete, or a job did not complete."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of the scripted model in milliseconds; the default is that of a provider's small model."""

    first_token_ms: float = 500
    token_ms: float = 20


@dataclass(frozen=True, slots=True)
class _Watched:
    """What the only watcher of one job has seen."""

    user: int
    job_id: str
    seconds: float
    end: Complete


@dataclass(slots=True)
class _Traffic:
    """The response bytes and the number of requests of one origin."""

    received: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class _Entered:
    """How many states all executions have entered, and how many of these states call a function."""

    transitions: int
    calls: int


class _CountingTransport(httpx.HTTPTransport):
    """Count requests and response bytes per origin."""

    def __init__(self, traffic: dict[str, _Traffic], lock: threading.Lock) -> None:
        super().__init__()
        self._traffic = traffic
        self._lock = lock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        counted = self._traffic[f"{request.url.scheme}://{request.url.netloc.decode()}"]
        with self._lock:
            counted.requests += 1
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - of a synchronous transport
        response.stream = _CountedStream(response.stream, counted, self._lock)
        return response


class _CountedStream(httpx.SyncByteStream):
    """Count the bytes of one response while they are read."""

    def __init__(self, stream: httpx.SyncByteStream, counted: _Traffic, lock: threading.Lock) -> None:
        self._stream = stream
        self._counted = counted
        self._lock = lock

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            with self._lock:
                self._counted.received += len(piece)
            yield piece

    def close(self) -> None:
        self._stream.close()


class Measurement:
    """Count on a separate local stack, so that the figures contain nothing else. A context manager."""

    def __init__(
        self,
        log_dir: Path,
        *,
        pace: Pace,
        together: int,
        functions: Literal["threads", "processes"] = "threads",
        template: Path = ROOT / "template.yaml",
    ) -> None:
        self._stack = LocalStack(functions, environment=WITHOUT_RATE_LIMITS, log_dir=log_dir, template=template)
        self._log_dir = log_dir
        self.pace = pace
        self._together = together
        self._template = resolved(template)
        self._traffic: dict[str, _Traffic] = defaultdict(_Traffic)
        self._lock = threading.Lock()
        self._jobs_so_far = 0
        self._warm: set[str] = set()
        self._stored_for_preparation: frozenset[_Key] = frozenset()
        self.own: list[ComputeUsage] = []
        """What the jobs of the last count themselves say that they have used."""

    def __enter__(self) -> Measurement:
        self._stack.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.stop()

    # ---- jobs ----------------------------------------------------------------------------------------------------

    def of_jobs(self, pipeline: str, jobs: int) -> Counts:
        """Run jobs of a pipeline, and return what one of them uses on average, without what its demo prepares.

        Raises:
            CountingFailed: a job did not complete, or the counts are not complete.
            ClientError: the API refused a request.
        """
        streams = self._so_far().streams
        self._traffic.clear()
        warmed_up = self._warm_up(pipeline)
        ready = self._prepare(pipeline, jobs)
        entered_before = self._entered()
        streams += self._traffic[self._stack.stream_url].requests
        before = self._so_far(at_least_streams=streams, at_least_calls=entered_before.calls)
        self._traffic.clear()
        watched = self._run(ready)
        entered_after = self._entered()
        api, stream = self._traffic[self._stack.api_url], self._traffic[self._stack.stream_url]
        streams = before.streams + stream.requests
        spent = self._so_far(at_least_streams=streams, at_least_calls=entered_after.calls).since(before)
        self._check(spent, stream.requests, api.requests, entered_after.calls - entered_before.calls)
        self._jobs_so_far += jobs + warmed_up
        transitions = entered_after.transitions - entered_before.transitions
        counted = self._counts(pipeline, watched, spent, transitions, api, stream)
        self.own = [self._own(each) for each in watched]  # last, because these requests must not count
        return counted

    def _counts(
        self,
        pipeline: str,
        watched: Sequence[_Watched],
        spent: _Totals,
        transitions: int,
        api: _Traffic,
        stream: _Traffic,
    ) -> Counts:
        jobs, usage, objects = len(watched), [each.end.usage for each in watched], self._objects()
        return Counts(
            pipeline=pipeline,
            jobs=jobs,
            seconds=statistics.mean(each.seconds for each in watched),
            functions={
                function.folder: Invoked(
                    len(spent.milliseconds[function.name]) / jobs,
                    sum(spent.milliseconds[function.name]) / jobs,
                    function.memory,
                )
                for function in self._template.functions
                if function.name in spent.milliseconds and not self._follows_jobs(function)
            },
            http_requests=api.requests / jobs,
            response_bytes=api.received / jobs,
            streamed_bytes=stream.received / jobs,
            transitions=transitions / jobs,
            tables=self._tables(spent, jobs),
            objects=len(objects) / self._jobs_so_far,
            object_bytes=sum(objects) / self._jobs_so_far,
            log_bytes=spent.log_bytes / jobs,
            traces=spent.traces / jobs,
            metrics=tuple(sorted(spent.metrics)),
            routes=self._routes(spent),
            model=next(
                f.environment["DEFAULT_MODEL"] for f in self._template.functions if "DEFAULT_MODEL" in f.environment
            ),
            input_tokens=statistics.mean(each.input_tokens for each in usage),
            output_tokens=statistics.mean(each.output_tokens for each in usage),
        )

    def _warm_up(self, pipeline: str) -> int:
        """Run the first jobs of the pipeline, if none has run on this stack, and return how many."""
        if pipeline in self._warm:
            return 0
        self._warm.add(pipeline)
        return len(self._run(self._prepare(pipeline, WARM_UP)))

    def _prepare(self, pipeline: str, jobs: int) -> list[list[PipelineDemo]]:
        """Prepare jobs, and return those of each user. What is stored for it belongs to no job."""

        def prepared(number: int) -> list[PipelineDemo]:
            ready = [demos()[pipeline]() for _ in range(jobs // together + (number < jobs % together))]
            with self._client(number) as client:
                for each in ready:
                    each.prepare(client)
            return ready

        self._set(Pace(0, 0))
        stored_before = self._keys()
        together = min(self._together, jobs)
        with ThreadPoolExecutor(together) as threads:
            ready = list(threads.map(prepared, range(together)))
        self._entered()  # all executions have ended
        self._stored_for_preparation |= self._keys() - stored_before
        self._set(self.pace)
        return ready

    def _set(self, pace: Pace) -> None:
        with ModelControl(self._stack.model_url) as model:
            model.clear()
            model.script(first_token_ms=pace.first_token_ms, token_ms=pace.token_ms)

    def _run(self, ready: Sequence[Sequence[PipelineDemo]]) -> list[_Watched]:
        def watched(number: int) -> list[_Watched]:
            with self._client(number) as client:
                return [self._watch(client, number, each) for each in ready[number]]

        with ThreadPoolExecutor(len(ready)) as threads:
            return [each for done in threads.map(watched, range(len(ready))) for each in done]

    def _client(self, number: int) -> JobsClient:
        """Return a client of one of the users; its requests are counted."""
        transport = _CountingTransport(self._traffic, self._lock)
        return JobsClient(self._stack.api_url, self._stack.token(f"cost-{number}"), transport=transport)

    @staticmethod
    def _watch(client: JobsClient, user: int, demo: PipelineDemo) -> _Watched:
        began = time.monotonic()
        job: Accepted = demo.create(client)
        end = [received.event for received in client.follow(job.stream_url)][-1]
        if not isinstance(end, Complete):
            raise CountingFailed(f"job {job.job_id} did not complete; its last event is {end.type}")
        return _Watched(user, job.job_id, time.monotonic() - began, end)

    def _own(self, watched: _Watched) -> ComputeUsage:
        """Return what a job itself says that it has used. Its watcher's connection has ended, so it is counted."""
        with self._client(watched.user) as client:
            compute = client.get(watched.job_id).usage.compute
        if compute is None:
            raise CountingFailed(f"job {watched.job_id} does not say what it has used")
        return compute

    def _follows_jobs(self, function: Function) -> bool:
        """Return whether a schedule, a stream or a queue calls the function: docs/cost.md computes these apart."""
        by_source = {source.function for source in self._template.event_sources}
        return function.name in by_source or self._is_scheduled(function)

    def _is_scheduled(self, function: Function) -> bool:
        return any(schedule.function == function for schedule in self._template.schedules)

    # ---- the sweep -----------------------------------------------------------------------------------------------

    def of_the_sweep(self) -> SweepCounts:
        """Return what one sweep of jobs uses if there is no live job. A first sweep is not counted.

        Raises CountingFailed if a sweep fails.
        """
        [name] = [each.function.name for each in self._template.schedules if each.function.folder == "sweep_jobs"]
        self._invoke(name)
        before = self._so_far()
        for _ in range(SWEEPS):
            self._invoke(name)
        spent = self._so_far().since(before)
        reads = sum(table["readUnits"] for table in spent.tables.values())
        milliseconds = spent.milliseconds[name]
        return SweepCounts(
            statistics.median(milliseconds), reads / SWEEPS, spent.log_bytes / SWEEPS, tuple(sorted(spent.metrics))
        )

    def _invoke(self, name: str) -> None:
        response = self._stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        if "FunctionError" in response:
            raise CountingFailed(f"{name}: {response['Payload'].read().decode()}")

    # ---- totals ------------------------------------------------------------------------------------------------------

    def _so_far(self, *, at_least_streams: int = 0, at_least_calls: int = 0) -> _Totals:
        """Return the totals so far, once they include these numbers of streams and of invocations by executions.

        The end of a stream or of a job's last state is recorded a moment after the watcher has received it.
        """
        [streaming] = [function.name for function in self._template.functions if function.has_url]

        def read() -> _Totals:
            segments = _segments(self._stack.xray.text())
            tables = httpx.get(f"{self._stack.aws_url}/_millrace/capacity/tables", trust_env=False).json()
            return _Totals.of(segments, tables, sorted(self._log_dir.glob("*.log")), streaming)

        def complete(totals: _Totals) -> bool:
            return totals.streams >= at_least_streams and self._calls(totals) >= at_least_calls

        return _until(read, complete)

    def _entered(self) -> _Entered:
        """Return the states that were entered so far, when no execution runs any more."""
        machines = [machine.arn for machine in self._template.state_machines]
        listing = self._stack.client("stepfunctions").get_paginator("list_executions")

        def executions() -> list[dict[str, Any]]:
            return [
                each
                for arn in machines
                for page in listing.paginate(stateMachineArn=arn)
                for each in page["executions"]
            ]

        found = _until(executions, lambda each: all(execution["status"] != "RUNNING" for execution in each))
        entered = Counter(
            event["type"]
            for each in found
            for event in self._stack.history(each["executionArn"])
            if event["type"].endswith("StateEntered")
        )
        # A Map is entered once, and the state within it once for each part: each time it calls a function.
        return _Entered(entered.total(), entered["TaskStateEntered"])

    def _calls(self, totals: _Totals) -> int:
        """Return how many invocations came from executions."""
        by_route = {route.function for route in self._template.routes}
        return sum(
            len(totals.milliseconds.get(function.name, ()))
            for function in self._template.functions
            if function.logical_id not in by_route and not function.has_url and not self._follows_jobs(function)
        )

    def _check(self, spent: _Totals, watchers: int, requests: int, calls: int) -> None:
        """Compare the counts with each other: they must match, because nothing fails and nothing is retried here."""
        by_route = {route.function for route in self._template.routes}
        called_by_executions = self._calls(spent)
        called = sum(
            len(spent.milliseconds.get(function.name, ()))
            for function in self._template.functions
            if function.logical_id in by_route
        )
        if called != requests or called_by_executions != calls or spent.streams != watchers:
            raise CountingFailed(
                f"{requests} requests called {called} functions, {calls} states called {called_by_executions}, "
                f"and {watchers} watchers called {spent.streams}; not every invocation was counted"
            )

    def _routes(self, spent: _Totals) -> tuple[str, ...]:
        names = {function.logical_id: function.name for function in self._template.functions}
        called = [route for route in self._template.routes if names[route.function] in spent.milliseconds]
        return tuple(sorted(f"{route.method} {route.path}" for route in called))

    def _tables(self, spent: _Totals, jobs: int) -> dict[str, TableUse]:
        return {
            table.logical_id: TableUse(
                write_units=spent.tables[table.name]["writeUnits"] / jobs,
                read_units=spent.tables[table.name]["readUnits"] / jobs,
                index_units={name: units / jobs for name, units in spent.tables[table.name]["indexUnits"].items()},
                **self._stored(
                    table.name, [i["IndexName"] for i in table.definition.get("GlobalSecondaryIndexes", ())]
                ),
            )
            for table in self._template.tables
            if table.name in spent.tables
        }

    def _stored(self, table: str, indexes: Sequence[str]) -> dict[str, float]:
        """Return the bytes that one job has stored: those that expire, times their months, and those that do not."""
        now = time.time()
        expiring = kept = 0.0
        for index in (None, *indexes):
            for item in self._items(table, index):
                if self._key(table, item) in self._stored_for_preparation:
                    continue
                size = item_bytes(item) + ITEM_BYTES
                if "expiresAt" in item:
                    expiring += size * max(0.0, float(item["expiresAt"]["N"]) - now) / MONTH_SECONDS
                elif index is None:
                    kept += size
        return {"expiring_byte_months": expiring / self._jobs_so_far, "kept_bytes": kept / self._jobs_so_far}

    def _keys(self) -> frozenset[_Key]:
        """Return the keys of all items and objects."""
        items = (self._key(table.name, item) for table in self._template.tables for item in self._items(table.name))
        return frozenset(items) | self._sizes().keys()

    def _items(self, table: str, index: str | None = None) -> Iterator[Mapping[str, Any]]:
        arguments = {"TableName": table} if index is None else {"TableName": table, "IndexName": index}
        for page in self._stack.client("dynamodb").get_paginator("scan").paginate(**arguments):
            yield from page["Items"]

    def _key(self, table: str, item: Mapping[str, Any]) -> _Key:
        [names] = [
            [each["AttributeName"] for each in one.definition["KeySchema"]]
            for one in self._template.tables
            if one.name == table
        ]
        return (table, *(str(item[name]) for name in names))

    def _objects(self) -> list[int]:
        """Return the sizes of the objects that jobs have stored, in bytes, without those of the archive."""
        return [
            size
            for key, size in self._sizes().items()
            if key not in self._stored_for_preparation and not key[1].startswith(("archive/", "usage/"))
        ]

    def _sizes(self) -> dict[_Key, int]:
        pages = self._stack.client("s3").get_paginator("list_objects_v2")
        return {
            (bucket, each["Key"]): each["Size"]
            for bucket in self._template.buckets
            for page in pages.paginate(Bucket=bucket)
            for each in page.get("Contents", ())
        }


_Key = tuple[str, ...]
"""The table and the key of an item, or the bucket and the key of an object."""


@dataclass(frozen=True, slots=True)
class _Totals:
    """What was used up to a moment.

    `milliseconds` are the billed durations of all invocations, by the function's name. `metrics` is how often each
    custom metric was written.
    """

    milliseconds: Mapping[str, Sequence[int]]
    trace_ids: frozenset[str]
    streams: int
    tables: Mapping[str, Mapping[str, Any]]
    log_bytes: int
    metrics: Mapping[str, int]

    @property
    def traces(self) -> int:
        return len(self.trace_ids)

    @staticmethod
    def of(
        segments: Sequence[Mapping[str, Any]], tables: Mapping[str, Any], logs: Sequence[Path], streaming: str
    ) -> _Totals:
        """Read the totals from trace segments, table capacities and log files."""
        milliseconds: dict[str, list[int]] = defaultdict(list)
        for segment in segments:
            lasted = math.ceil((segment["end_time"] - segment["start_time"]) * 1000)
            milliseconds[segment["name"]].append(lasted)
        lines = [line for log in logs if log.name not in _NOT_DEPLOYED for line in log.read_bytes().splitlines()]
        return _Totals(
            milliseconds=milliseconds,
            trace_ids=frozenset(segment["trace_id"] for segment in segments),
            streams=len(milliseconds.get(streaming, ())),
            tables=tables,
            log_bytes=sum(len(line) + LOG_LINE_BYTES for line in lines),
            metrics=Counter(name for line in lines for name in metrics_in(line)),
        )

    def since(self, before: _Totals) -> _Totals:
        """Return what was used after an earlier moment."""
        return _Totals(
            milliseconds={
                name: list(each)[len(before.milliseconds.get(name, ())) :]
                for name, each in self.milliseconds.items()
                if len(each) > len(before.milliseconds.get(name, ()))
            },
            trace_ids=self.trace_ids - before.trace_ids,
            streams=self.streams - before.streams,
            tables={name: _difference(table, before.tables.get(name, {})) for name, table in self.tables.items()},
            log_bytes=self.log_bytes - before.log_bytes,
            metrics=Counter(self.metrics) - Counter(before.metrics),
        )


_NOT_DEPLOYED = {"aws.log", "model.log"}


def _difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    indexes = Counter(now["indexUnits"])
    indexes.subtract(before.get("indexUnits", {}))
    return {name: now[name] - before.get(name, 0) for name in ("writeUnits", "readUnits", "requests")} | {
        "indexUnits": dict(indexes)
    }


def _segments(text: str) -> list[dict[str, Any]]:
    """Return the segments of functions, in the order in which they ended."""
    documents = [json.loads(line) for line in text.splitlines()]
    return [each for each in documents if each.get("annotations", {}).get("origin") == "AWS::Lambda::Function"]


def metrics_in(line: bytes) -> Iterator[str]:
    """Yield the metrics that a line of the embedded metric format writes: one name for each combination of dimensions.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if b'"_aws"' not in line:
        return
    document = json.loads(line[line.index(b"{") :])
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"] or [[]]:
            values = ",".join(f"{name}={document[name]}" for name in sorted(dimensions))
            for metric in directive["Metrics"]:
                yield f"{directive['Namespace']}/{metric['Name']}{{{values}}}"


def _until(read: Callable[[], T], complete: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + _ARRIVED_WITHIN
    while True:
        found = read()
        if complete(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)
