"""Run the plan's jobs on a stack, a limited number at the same time, and collect the story of each."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx

from local.model.control import ModelControl
from local.stack import ROOT, Held, LocalStack
from local.template.template import Template
from shared.storage import keys
from shared.storage.attributes import from_item
from tests.api_user import Event, data_of
from tests.chaos.application import applications, states
from tests.chaos.channel_watcher import ChannelWatcher
from tests.chaos.injections import Injector
from tests.chaos.plan import Action, Drop, JobPlan, KillAtCall, Moment, Plan, Resumption, Return, WatcherPlan
from tests.chaos.repeated_reads import RepeatedReads
from tests.chaos.story import JobStory, ModelCall
from tests.chaos.verdict import changed_fields
from tests.chaos.watcher import STEADY, Sights, Watcher
from tests.chaos.webhooks import WAITS, Webhooks
from tests.patience import PATIENCE

ENVIRONMENT = {
    "JOB_CREATIONS_PER_MINUTE": "100000",
    "WRITES_PER_MINUTE": "100000",
    "CONNECTION_OPENS_PER_MINUTE": "100000",
    # A model call that hangs is noticed after four seconds instead of sixty.
    "MODEL_TOKEN_TIMEOUT_SECONDS": "4",
    # Most jobs' logs are compacted at least once, so that watchers that reconnect get snapshots.
    "LOG_MAX_EVENTS": "40",
    "JOB_RETENTION_SECONDS": "3600",
    "FAILED_JOB_RETENTION_SECONDS": "3600",
    "WEBHOOK_WAITS": WAITS,
}
DEADLINE = 600.0
"""The longest time of a job in seconds: at rest it takes at most 75, for four attempts with a hanging model."""

DEADLINE_OF_SWEEP = 600.0
"""The longest time until the sweep ends a job that was never started: it leaves such a job alone for a minute."""

SWEEP_EVERY = 5.0
THROTTLED = 4
"""Seconds between two sweeps, and how many questions of a sweep are refused: more than botocore repeats by itself."""

AT_ONCE = 8
"""The number of jobs at the same time: two cores can run these, with every function in a separate process."""

_JOBS_PER_USER = 1  # with two watchers, and up to four that come back; a user may have five streams
_SETTLING = 300.0
_NOT_SHOWN: dict[str, Any] = {
    "status": "not to be shown",
    "text": "",
    "items": [],
    "subtasks": [],
    "lastEventId": 0,
    "retryCount": 0,
    "result": None,
    "failure": None,
}


class _Calls:
    """The model's request log, read during the run, because the server keeps only the last thousand requests."""

    def __init__(self, model_url: str) -> None:
        self._url = model_url
        self.calls: dict[str, ModelCall] = {}

    async def keep_reading(self) -> None:
        while True:
            await asyncio.to_thread(self.read)
            await asyncio.sleep(5)

    def read(self) -> None:
        with ModelControl(self._url) as control:
            for record in control.requests():
                self.calls[record["id"]] = ModelCall.of(record)


class ChaosRun:
    """One run of a plan, `at_once` jobs at a time. `tell` is called with the story of each ended job.

    `model_url` is the URL of the scripted model; by default the stack's own. With `webhooks` the users are told of
    their jobs, and the functions that tell them are killed until the last job has begun.
    """

    def __init__(
        self,
        stack: LocalStack,
        plan: Plan,
        *,
        tell: Callable[[JobStory], None],
        at_once: int = AT_ONCE,
        model_url: str | None = None,
        webhooks: Webhooks | None = None,
    ) -> None:
        self._webhooks = webhooks
        self._stack = stack
        self._model_url = model_url or stack.model_url
        self._at_once = at_once
        self._plan = plan
        self._tell = tell
        self._control = ModelControl(self._model_url)
        self._creating = asyncio.Semaphore(2)  # each concurrent creation is a process to start
        self.sweeps: list[str] = []
        """The response to each sweep."""

    async def run(self) -> list[JobStory]:
        """Run every job, and return their stories in the plan's order."""
        calls = _Calls(self._model_url)
        reading, sweeping = asyncio.create_task(calls.keep_reading()), asyncio.create_task(self._keep_sweeping())
        waiting = deque(self._plan.jobs)
        stories: list[JobStory] = []
        async with asyncio.TaskGroup() as lanes:
            if self._webhooks is not None:
                lanes.create_task(self._webhooks.killer.keep_killing())
            for lane in range(min(self._at_once, len(waiting))):
                lanes.create_task(self._lane(lane, waiting, stories))
        await self._settle()
        reading.cancel()
        sweeping.cancel()
        calls.read()
        self._control.close()
        for story in stories:
            await asyncio.to_thread(self._read_stored, story)
            story.model_calls = [call for call in calls.calls.values() if story.page in call.prompt]
        if self._webhooks is not None:
            await self._webhooks.settle(stories, self._client)
            self._webhooks.judge(stories)
        await self._clear_up(stories)
        return sorted(stories, key=lambda story: story.plan.number)

    async def _keep_sweeping(self) -> None:
        """Run the sweep every few seconds, while Step Functions refuses some of its questions."""
        url = f"{self._stack.api_url}/2015-03-31/functions/millrace-sweep_jobs/invocations"
        injected = 0
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
            while True:
                await asyncio.sleep(SWEEP_EVERY)
                returned = (await asyncio.to_thread(self._stack.injected_faults)).get("DescribeExecution", 0)
                if returned == injected:
                    injected += THROTTLED
                    await asyncio.to_thread(
                        self._stack.inject_fault, "DescribeExecution", count=THROTTLED, error="ThrottlingException"
                    )
                answer = (await client.post(url, json={})).json()
                self.sweeps.append(str(answer.get("errorType", "done")))

    def _client(self, owner: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._stack.token(owner)}"}
        reads = RepeatedReads(httpx.Limits(max_connections=20))
        return httpx.AsyncClient(base_url=self._stack.api_url, headers=headers, timeout=PATIENCE, transport=reads)

    async def _lane(self, lane: int, waiting: deque[JobPlan], stories: list[JobStory]) -> None:
        owner = f"chaos-{self._plan.seed}-{lane // _JOBS_PER_USER}"
        async with self._client(owner) as api:
            if self._webhooks is not None:
                await self._webhooks.open_standing(api, owner, lane)
            while waiting:
                plan = waiting.popleft()
                async with self._telling(api, owner, plan.number, last=not waiting):
                    story = await self._job(api, plan, owner)
                stories.append(story)
                story.shown = await self._show(api, f"/jobs/{story.job_id}") or _NOT_SHOWN
                self._tell(story)
                # Kept for the final check: later writes of lost attempts must not be visible.
                story.problems += await self._changed_later(api, story)
                paths = story.application.also_shown(story.subject)
                story.also = {name: await self._show(api, path) for name, path in paths.items()}
                story.found = await story.application.evidence(self._stack, api, story)

    @contextlib.asynccontextmanager
    async def _telling(self, api: httpx.AsyncClient, owner: str, job: int, *, last: bool) -> AsyncIterator[None]:
        """Have a webhook closed while the block runs a job."""
        if self._webhooks is None:
            yield
            return
        if last:
            self._webhooks.killer.stop()
        endpoint = await self._webhooks.open_closing(api, owner, job)
        closing = asyncio.create_task(self._webhooks.close(api, endpoint, job))
        yield
        await closing
        await self._webhooks.look_for_gone(api, owner)

    async def _clear_up(self, stories: Sequence[JobStory]) -> None:
        """Delete what the jobs are linked to; what is left of it is a problem."""
        at_once = asyncio.Semaphore(2)

        async def clear(story: JobStory) -> None:
            async with at_once, self._client(story.owner) as api:
                story.problems += await story.application.afterwards(self._stack, api, story)

        await asyncio.gather(*map(clear, stories))

    async def _changed_later(self, api: httpx.AsyncClient, story: JobStory) -> list[str]:
        """Wait until every attempt has ended, including lost ones; return what changed after the job's end."""
        deadline = time.monotonic() + _SETTLING
        while time.monotonic() < deadline:
            records = await asyncio.to_thread(self._stack.invocations, f'"{story.job_id}"')
            story.invocations = [each for each in records if each["function"] in states()]
            if all(each["ended"] for each in story.invocations):
                break
            await asyncio.sleep(0.2)
        else:
            return [f"attempts still run {_SETTLING:.0f} s after the job's end"]
        if not any(each["abandoned"] for each in story.invocations):
            return []
        again = await self._show(api, f"/jobs/{story.job_id}") or _NOT_SHOWN
        return [f"changed after the end: {name}" for name in changed_fields(story.shown, again)]

    async def _job(self, api: httpx.AsyncClient, plan: JobPlan, owner: str) -> JobStory:
        """Run one job to its end, and return its story."""
        page = f"Page {plan.number} {uuid.uuid4().hex}"
        for rule in plan.trouble.rules:
            self._control.script(match=page, times=rule.times, **rule.behaviour)
        async with self._creating:
            fields = await applications()[plan.application].prepare(self._stack, api, page)
        with self._held(plan) as held:
            return await self._created(api, plan, page, fields, held, owner)

    def _held(self, plan: JobPlan) -> contextlib.AbstractContextManager[Held | None]:
        """Hold the call at which the plan kills the job's attempt, if it names one."""
        for action in plan.trouble.actions:
            if isinstance(action, KillAtCall):
                return self._stack.holding(
                    action.operation, executed=action.executed, skip=action.skip, function=action.function
                )
        return contextlib.nullcontext()

    async def _created(
        self, api: httpx.AsyncClient, plan: JobPlan, page: str, fields: dict[str, Any], held: Held | None, owner: str
    ) -> JobStory:
        """Create the job and run it to its end."""
        application = applications()[plan.application]
        sights = Sights(application.is_whole)
        async with self._creating:
            request = application.request_in_turn if plan.in_turn else application.request
            path, body = request(page, plan.script)
            created = data_of(await api.post(path, json={**body, **fields}, headers={"Idempotency-Key": page}), 202)
        job_id, subject = str(created["jobId"]), {**created, **fields}
        if self._webhooks is not None:
            self._webhooks.job_created(owner, job_id)
        created_at = time.time()
        url = f"{self._stack.stream_url}/jobs/{job_id}/stream"
        watchers = [
            self._watcher(api, url, kind, f"{kind}-{plan.number}", watched, sights)
            for kind, watched in ((STEADY, plan.steady), ("dropping", plan.dropping))
        ]
        injector = Injector(self._stack, self._model_url, application, api, job_id, sights, page, subject, held)
        story = JobStory(plan, job_id, page, created_at, watchers, injector.done, injector.problems, subject, owner)
        sights.saw("created")
        async with self._following(story, api, sights):
            await self._watch(story, sights, injector, plan.trouble.actions)
            for resumption in plan.resumptions:
                if story.problems or not await self._can_resume(api, story):
                    break
                await self._resume(story, sights, injector, resumption)
        for watcher in watchers[1:]:
            await watcher.ask_after_the_end()
        story.took = time.time() - created_at
        return story

    @contextlib.asynccontextmanager
    async def _following(self, story: JobStory, api: httpx.AsyncClient, sights: Sights) -> AsyncIterator[None]:
        """Watch the application's topic during the block, and at its end until the last event that is stored then.

        Nothing watches it for a job whose attempts run in turn: to tell a watcher takes calls of AWS at any time.
        """
        topic = story.application.topic
        if topic is None:
            yield
            return
        if story.plan.in_turn:
            yield
            story.topic_events = await asyncio.to_thread(topic.stored, self._stack, story.subject)
            return
        plan = WatcherPlan(Moment("created"), story.plan.dropping.drops, "channel")
        follower = ChannelWatcher(
            api, "", "topic", "", plan, sights, channel_url=self._stack.channel_url, followed=topic.of(story.subject)
        )
        story.follower = follower
        watching = asyncio.create_task(follower.watch())
        try:
            yield
            story.topic_events = await asyncio.to_thread(topic.stored, self._stack, story.subject)
            follower.until = story.topic_events[-1][0]
            await asyncio.wait([watching], timeout=PATIENCE)
            if not watching.done():
                follower.problems.append(f"saw event {follower.last_id} last, and {follower.until} is stored")
        finally:
            watching.cancel()

    def _watcher(
        self, api: httpx.AsyncClient, url: str, kind: str, tab: str, plan: WatcherPlan, sights: Sights
    ) -> Watcher:
        if plan.transport == "stream":
            return Watcher(api, url, kind, tab, plan, sights)
        return ChannelWatcher(
            api,
            url,
            f"{kind} ({plan.transport})",
            tab,
            plan,
            sights,
            channel_url=self._stack.channel_url,
            alternates=plan.transport == "both",
        )

    async def _watch(
        self,
        story: JobStory,
        sights: Sights,
        injector: Injector,
        actions: Sequence[Action],
        *,
        within: float = DEADLINE,
    ) -> None:
        """Inject the actions until every watcher has seen the end of the job's generation."""
        tasks = [asyncio.create_task(injector.carry_out(action)) for action in actions]
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*(watcher.watch() for watcher in story.watchers))
        except TimeoutError:
            story.problems.append(f"stuck: no end within {within:.0f} s")
        sights.saw("end")
        await asyncio.gather(*tasks)

    async def _can_resume(self, api: httpx.AsyncClient, story: JobStory) -> bool:
        shown = await self._show(api, f"/jobs/{story.job_id}")
        return shown is not None and shown["status"] in {"failed", "cancelled"}

    async def _resume(self, story: JobStory, sights: Sights, injector: Injector, resumption: Resumption) -> None:
        """Resume the job; the watchers come back, and more watchers come from other positions."""
        sights.begin_generation()
        try:
            async with asyncio.timeout(DEADLINE_OF_SWEEP):
                generations = await injector.resume(resumption)
        except TimeoutError:
            story.problems.append(f"stuck: the job was not resumed within {DEADLINE_OF_SWEEP:.0f} s")
            return
        if not generations:
            return
        sights.saw("created")
        seen = story.watchers[0].events
        for number, each in enumerate(resumption.returns):
            story.watchers.append(self._returning(story, sights, each, f"{len(story.watchers)}-{number}", seen))
            injector.note(f"watcher back: {each.position}")
        for watcher in story.watchers:
            watcher.come_back(generations)
        await self._watch(story, sights, injector, resumption.actions, within=DEADLINE_OF_SWEEP)
        await injector.settle()

    def _returning(self, story: JobStory, sights: Sights, plan: Return, name: str, seen: Sequence[Event]) -> Watcher:
        """Return a watcher that has seen a part of the events of the steady one."""
        drops = (Drop(1, 0.1),) if plan.position == "after" else ()
        known = {"beginning": 0, "before": int(plan.share * len(seen))}.get(plan.position, len(seen))
        watched = WatcherPlan(Moment("created", delay=plan.delay), drops, plan.transport)
        first = story.watchers[0]
        watcher = self._watcher(
            first.client, first.url, f"back: {plan.position}", f"back-{story.plan.number}-{name}", watched, sights
        )
        watcher.events = list(seen[:known])
        watcher.returned_at = [position for position in first.returned_at if position <= known]
        return watcher

    async def _show(self, api: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
        answer = await api.get(path)
        return data_of(answer) if answer.is_success else None

    async def _settle(self) -> None:
        """Wait until no attempt runs, so that the stack stops without a running attempt."""
        deadline = time.monotonic() + _SETTLING
        while time.monotonic() < deadline:
            records = await asyncio.to_thread(self._stack.invocations, '"jobId"')
            if all(each["ended"] for each in records):
                return
            await asyncio.sleep(0.2)

    def _read_stored(self, story: JobStory) -> None:
        pages = self._stack.client("dynamodb").get_paginator("query")
        for page in pages.paginate(
            TableName=self._table(),
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": keys.job_partition(story.job_id)}},
            ConsistentRead=True,
        ):
            for item in page["Items"]:
                is_mark = item["SK"]["S"].startswith(keys.EVENT_PREFIX) and "seq" not in item
                if not is_mark:
                    story.stored[item["SK"]["S"]] = from_item(item)
        if keys.JOB in story.stored:
            # A new job's item leaves out what every job has at first.
            story.stored[keys.JOB] = {"generation": 1, "checkpoints": {}, **story.stored[keys.JOB]}

    def _table(self) -> str:
        return next(table.name for table in Template(ROOT / "template.yaml").tables if table.logical_id == "JobsTable")
