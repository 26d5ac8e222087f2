"""Parts of a fan-out: each leaves one item, all append under one fence, and a resumption runs what is missing."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.errors import (
    AttemptSuperseded,
    ErrorCode,
    InternalFault,
    JobEnded,
    MillraceError,
    ModelRefused,
    ModelUnavailable,
    StorageUnavailable,
)
from shared.jobs.checkpoints import latest_checkpoint
from shared.jobs.invocation import FanOutDone, PartDone
from shared.jobs.job import Job, JobStatus
from shared.jobs.pipeline import Pipelines
from shared.llm.model import Message
from shared.log.event_log import Batch, LogBounds, LogSnapshot
from shared.log.events import Item, Progress, Reset, StageStarted, StreamEvent, Subtask
from shared.log.fence import Fence
from shared.log.usage import TokenUsage
from shared.stages import part_runner
from shared.stages.model_answers import read_output
from shared.stages.part import MAX_PART_EVENTS, PartContext
from shared.stages.stage import StageContext
from tests.fakes.core import ANTHOLOGY, FakeCore, ScriptedPart, ScriptedStage, Verse, a_request, fails, says
from tests.fakes.event_log import FakeEventLog
from tests.fakes.model import USAGE, ScriptedModel

Script = Callable[[PartContext], Awaitable[dict[str, Any]]]


def planned(core: FakeCore, *keys: str, titles: dict[str, str] | None = None) -> Job:
    """Return a job whose parts are named."""
    job = core.job_creation.create("ada", a_request(pipeline="anthology"))
    core.run(ScriptedStage("choose_poems", says("three poems;", parts=titles or list(keys))), job)
    return job


def binds(found: list[StageContext] | None = None) -> ScriptedStage:
    async def script(context: StageContext) -> dict[str, Any]:
        if found is not None:
            found.append(context)
        context.output.write(" bound")
        return {"lines": list(context.parts)}

    return ScriptedStage("bind_poems", script)


def breaks(fault: Exception) -> Script:
    async def script(context: PartContext) -> dict[str, Any]:
        raise fault

    return script


def uses(tokens: int) -> Script:
    async def script(context: PartContext) -> dict[str, Any]:
        context.add_usage(TokenUsage(input_tokens=tokens, output_tokens=1))
        return {"tokens": tokens}

    return script


def items(core: FakeCore, job: Job) -> list[str]:
    return [event.key for event in core.events(job) if isinstance(event, Item)]


def subtasks(core: FakeCore, job: Job) -> list[tuple[str, str]]:
    return [(event.key, event.status) for event in core.events(job) if isinstance(event, Subtask)]


def of_type(core: FakeCore, job: Job, kind: type[StreamEvent]) -> list[StreamEvent]:
    return [event for event in core.events(job) if isinstance(event, kind)]


class TestNamingParts:
    def test_the_stage_before_returns_the_keys_of_its_parts(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request(pipeline="anthology"))
        done = core.run(ScriptedStage("choose_poems", says("", parts={"b": "Byron", "a": "Auden"})), job)
        assert done.model_dump() == {
            "jobId": job.id,
            "stage": "choose_poems",
            "status": "done",
            "parts": ("b", "a"),
        }

    def test_a_repeat_returns_the_parts_that_have_no_result_yet(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b", "c")
        core.job_cancellation.cancel("ada", job.id)
        core.job_resumption.resume("ada", job.id)
        again = ScriptedStage("choose_poems")
        assert self.parts(core.run(again, job, generation=2)) == ("a", "b", "c")
        core.run_part(ScriptedPart(), job, "b", generation=2)
        core.job_cancellation.cancel("ada", job.id)
        core.job_resumption.resume("ada", job.id)
        assert self.parts(core.run(again, job, generation=3)) == ("a", "c")
        for key in ("a", "c"):
            core.run_part(ScriptedPart(), job, key, generation=3)
        with pytest.raises(ModelRefused):
            core.run(ScriptedStage("bind_poems", fails(ModelRefused("no"))), job, generation=3)
        core.record_failure(job, "ModelRefused", generation=3)
        core.job_resumption.resume("ada", job.id)
        assert self.parts(core.run(again, job, generation=4)) == ()
        assert again.runs == 0

    @staticmethod
    def parts(done: Any) -> tuple[str, ...]:
        assert isinstance(done, FanOutDone)
        return done.parts

    @pytest.mark.parametrize(
        ("output", "rule"),
        [
            ({}, "must be a list of keys, or a mapping of keys to titles"),
            ({"parts": None}, "must be a list of keys"),
            ({"parts": "abc"}, "must be a list of keys"),
            ({"parts": ["a", ""]}, "must have keys of 1 to 64 letters, digits, '.', '_' and '-', not ''"),
            ({"parts": ["a/b"]}, "not 'a/b'"),
            ({"parts": ["x" * 65]}, "must have keys of 1 to 64 letters"),
            ({"parts": [1]}, "not '1'"),
            ({"parts": {"a": ""}}, "must have titles of 1 to 200 characters; that of a has not"),
            ({"parts": {"a": 7}}, "must have titles"),
            ({"parts": ["a", "b", "a"]}, "must name each part once"),
            ({"parts": [f"{n}" for n in range(1001)]}, "must name at most 1000 parts, not 1001"),
        ],
    )
    def test_an_output_that_breaks_a_rule_fails_its_stage(self, output: dict[str, Any], rule: str) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request(pipeline="anthology"))
        with pytest.raises(InternalFault, match="stage choose_poems comes before a fan-out") as fault:
            core.run(ScriptedStage("choose_poems", says("", **output)), job)
        assert rule in fault.value.message
        now = core.job(job.id)
        assert now.checkpoints == {}
        assert now.last_fault is not None
        assert now.last_fault.message == fault.value.message

    def test_a_thousand_parts_are_allowed(self) -> None:
        core = FakeCore()
        planned(core, *(f"part-{number}" for number in range(1000)))


class TestOnePart:
    def test_its_result_is_an_item_and_its_events_tell_of_it(self) -> None:
        core = FakeCore()
        job = planned(core, titles={"a": "Auden", "b": "Byron"})
        done = core.run_part(ScriptedPart(), job, "a")
        assert done.model_dump() == {"jobId": job.id, "stage": "read_poem", "status": "done", "part": "a"}
        first, last = core.log.appends[-2:]
        assert first.events == (
            StageStarted(stage="read_poem", index=2, of=3),
            Subtask(key="a", title="Auden", status="started"),
        )
        assert last.events == (
            Item(stage="read_poem", key="a", data={"read": "a"}, text_length=len("three poems;")),
            Subtask(key="a", title="Auden", status="finished", progress=100),
            Progress(progress=33.3),
        )
        assert first.fence == last.fence == Fence(1, 1, 0, "parts")
        now = core.job(job.id)
        assert (now.status, now.stage, now.attempt, now.fence) == (
            JobStatus.IN_PROGRESS,
            "read_poem",
            1,
            "00001.001.000.parts",
        )

    def test_it_gets_its_key_its_title_and_the_output_that_named_it(self) -> None:
        core = FakeCore()
        job = planned(core, titles={"a": "Auden"})
        found: list[PartContext] = []

        async def script(context: PartContext) -> dict[str, Any]:
            found.append(context)
            return {}

        core.run_part(ScriptedPart(a=[script]), job, "a")
        (context,) = found
        assert (context.part, context.title, context.input) == ("a", "Auden", job_input(job))
        assert context.previous is not None
        assert context.previous.output == {"parts": {"a": "Auden"}}

    def test_only_the_first_part_appends_the_stage_event(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b", "c")
        for key in ("b", "a", "c"):
            core.run_part(ScriptedPart(), job, key)
        started = [event.stage for event in core.events(job) if isinstance(event, StageStarted)]
        assert started == ["choose_poems", "read_poem"]
        assert items(core, job) == ["b", "a", "c"]
        progress = [event.progress for event in core.events(job) if isinstance(event, Progress)]
        assert progress == [22.2, 44.4, 66.7]

    def test_a_part_with_a_result_returns_at_once(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        part = ScriptedPart()
        core.run_part(part, job, "a")
        before = (core.events(job), core.job(job.id))
        core.run_part(part, job, "a")
        assert part.runs == ["a"]
        assert (core.events(job), core.job(job.id)) == before

    def test_an_invocation_that_its_twin_overtakes_returns_the_same_result(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        twins: list[PartDone] = []

        async def overtaken(context: PartContext) -> dict[str, Any]:
            twins.append(await asyncio.to_thread(core.run_part, ScriptedPart(), job, "a"))
            return {"read": "too late"}

        assert core.run_part(ScriptedPart(a=[overtaken]), job, "a") == twins[0]
        assert core.job(job.id).last_fault is None

    def test_of_two_attempts_at_once_one_leaves_its_result(self) -> None:
        core = FakeCore()
        job = planned(core, "a")

        async def overtaken(context: PartContext) -> dict[str, Any]:
            await asyncio.to_thread(core.run_part, ScriptedPart(), job, "a")
            return {"read": "too late"}

        core.run_part(ScriptedPart(a=[overtaken]), job, "a")
        assert items(core, job) == ["a"]
        assert core.transcript(job).items["a"].data == {"read": "a"}
        assert subtasks(core, job) == [("a", "started"), ("a", "finished")]

    def test_the_events_of_the_application_are_appended(self) -> None:
        core = FakeCore()
        job = planned(core, "a")

        async def script(context: PartContext) -> dict[str, Any]:
            await context.append_event(Verse(line="first"))
            context.append_with_result(Verse(line="last"))
            return {}

        core.run_part(ScriptedPart(a=[script]), job, "a")
        assert [event.model_dump() for event in core.events(job) if event.type == "verse"] == [
            {"type": "verse", "line": "first"},
            {"type": "verse", "line": "last"},
        ]
        assert [event.type for event in core.log.appends[-1].events] == ["item", "subtask", "progress", "verse"]

    @pytest.mark.parametrize("case", ["text", "undeclared", "too many events", "two with the result", "no JSON"])
    def test_what_a_part_may_not_do_is_a_defect(self, case: str) -> None:
        core = FakeCore()
        job = planned(core, "a")
        complaint: list[str] = []

        async def script(context: PartContext) -> dict[str, Any]:
            try:
                match case:
                    case "text":
                        context.output.write("text")
                    case "undeclared":
                        context.append_with_result(type("Other", (Verse,), {})(line=""))
                    case "two with the result":
                        context.append_with_result(Verse(line=""))
                        context.append_with_result(Verse(line=""))
                    case "too many events":
                        for number in range(MAX_PART_EVENTS + 1):
                            await context.append_event(Verse(line=f"{number}"))
            except ValueError as error:
                complaint.append(str(error))
                raise
            return {"set": {1}}

        with pytest.raises(InternalFault):
            core.run_part(ScriptedPart(a=[script]), job, "a")
        expected = {
            "text": "a part cannot write text to the stream",
            "undeclared": "must declare the event verse",
            "two with the result": "at most one event",
            "too many events": "at most 100 events",
        }
        assert all(expected[case] in each for each in complaint)
        assert len(complaint) == (case in expected)
        assert items(core, job) == []
        assert subtasks(core, job) == [("a", "started"), ("a", "failed")]

    def test_a_result_that_is_too_large_is_a_defect_that_says_so(self) -> None:
        core = FakeCore()
        job = planned(core, "a")

        async def script(context: PartContext) -> dict[str, Any]:
            return {"text": "x" * 64_000}

        with pytest.raises(InternalFault, match="may have at most 64000 bytes; store larger data elsewhere"):
            core.run_part(ScriptedPart(a=[script]), job, "a")
        assert items(core, job) == []

    def test_a_part_that_was_not_named_is_a_defect(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        with pytest.raises(InternalFault, match="stage choose_poems has not named this part"):
            core.run_part(ScriptedPart(), job, "z")

    def test_a_part_before_its_fan_out_is_planned_is_a_defect(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request(pipeline="anthology"))
        with pytest.raises(InternalFault, match="began before stage choose_poems had finished"):
            core.run_part(ScriptedPart(), job, "a")

    def test_a_stage_that_is_no_fan_out_does_not_run_in_parts(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        part = ScriptedPart()
        part.name = "bind_poems"
        with pytest.raises(InternalFault, match="name it in `parts` of the pipeline anthology"):
            core.run_part(part, job, "a")


def job_input(job: Job) -> Any:
    return ANTHOLOGY.input_model.model_validate(job.input)


class TestFaults:
    def test_a_fault_names_the_stage_and_the_part_and_a_retry_finishes_it(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b")
        part = ScriptedPart(a=[breaks(ModelUnavailable("down")), uses(3)])
        with pytest.raises(ModelUnavailable, match=r"^part a: down$"):
            core.run_part(part, job, "a", retry=1)
        fault = core.job(job.id).last_fault
        assert fault is not None
        assert (fault.stage, fault.message, fault.attempt, fault.retryable) == ("read_poem", "part a: down", 2, True)
        core.run_part(part, job, "b")
        core.run_part(part, job, "a", retry=2)
        assert core.job(job.id).retry_count == 2
        assert subtasks(core, job) == [
            ("a", "started"),
            ("a", "failed"),
            ("b", "started"),
            ("b", "finished"),
            ("a", "started"),
            ("a", "finished"),
        ]
        assert of_type(core, job, Reset) == []

    def test_the_failure_of_the_job_has_the_message_of_the_part(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        with pytest.raises(ModelRefused):
            core.run_part(ScriptedPart(a=[breaks(ModelRefused("not this"))]), job, "a", retry=2)
        core.record_failure(job, "ModelRefused")
        failure = core.job(job.id).failure
        assert failure is not None
        assert (failure.code, failure.message, failure.attempt) == (ErrorCode.MODEL_REFUSED, "part a: not this", 3)

    def test_a_defect_shows_its_class_only(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        with pytest.raises(
            InternalFault, match=r"an internal error occurred in stage read_poem \(ZeroDivisionError\)"
        ) as fault:
            core.run_part(ScriptedPart(a=[breaks(ZeroDivisionError("secret plan"))]), job, "a")
        assert traceback.extract_tb(fault.value.__traceback__)[-1].name == "script"
        assert "secret plan" not in core.job(job.id).model_dump_json()

    def test_a_killed_attempt_leaves_a_subtask_that_its_retry_finishes(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        with pytest.raises(KeyboardInterrupt):
            core.run_part(ScriptedPart(a=[breaks(KeyboardInterrupt())]), job, "a")  # type: ignore[arg-type]
        core.run_part(ScriptedPart(), job, "a", retry=1)
        assert subtasks(core, job) == [("a", "started"), ("a", "finished")]

    def test_a_model_response_that_no_attempt_will_read_is_cancelled(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        cancelled: list[str] = []

        async def script(context: PartContext) -> dict[str, Any]:
            async def cancel() -> None:
                cancelled.append(context.part)

            context.cancel_response = cancel
            raise ModelUnavailable("down")

        with pytest.raises(ModelUnavailable):
            core.run_part(ScriptedPart(a=[script]), job, "a")
        assert cancelled == ["a"]


class TestCallingTheModel:
    def test_a_part_gets_the_whole_output_and_its_tokens_are_counted(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        model = ScriptedModel("rivers bend")

        async def script(context: PartContext) -> dict[str, Any]:
            output, finished = await read_output(model, context, (Message("system", "Read."),), None)
            return {"output": output, "truncated": finished.truncated}

        core.run_part(ScriptedPart(a=[script]), job, "a")
        assert core.transcript(job).items["a"].data == {"output": "rivers bend", "truncated": False}
        assert core.transcript(job).text == "three poems;"
        assert core.job(job.id).usage == USAGE
        (request,) = model.requests
        assert (request.model, request.messages) == ("scripted-1", (Message("system", "Read."),))

    def test_a_fault_of_the_model_is_the_fault_of_the_part(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        model = ScriptedModel(("riv", ModelUnavailable("down")))

        async def script(context: PartContext) -> dict[str, Any]:
            await read_output(model, context, (Message("system", "Read."),), None)
            return {}

        with pytest.raises(ModelUnavailable):
            core.run_part(ScriptedPart(a=[script]), job, "a")
        assert model.closed == 1


class TestUsage:
    def test_the_job_counts_the_tokens_of_all_parts(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b")

        async def overtaken(context: PartContext) -> dict[str, Any]:
            await asyncio.to_thread(core.run_part, ScriptedPart(b=[uses(20)]), job, "b")
            return await uses(300)(context)

        core.run_part(ScriptedPart(a=[overtaken]), job, "a")
        assert core.job(job.id).usage == TokenUsage(input_tokens=320, output_tokens=2)

    def test_the_tokens_of_a_failed_attempt_at_a_part_are_on_the_job(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b")

        async def pays_and_breaks(context: PartContext) -> dict[str, Any]:
            await uses(5)(context)
            raise ModelUnavailable("down")

        part = ScriptedPart(a=[pays_and_breaks, uses(7)])
        with pytest.raises(ModelUnavailable):
            core.run_part(part, job, "a")
        assert core.job(job.id).usage == TokenUsage(input_tokens=5, output_tokens=1)
        core.run_part(part, job, "a", retry=1)
        assert core.job(job.id).usage == TokenUsage(input_tokens=12, output_tokens=2)

    def test_twenty_parts_at_once_lose_no_token(self) -> None:
        core = FakeCore()
        keys = [f"part-{number}" for number in range(20)]
        job = planned(core, *keys)
        part = ScriptedPart(**{key: [uses(10**index % 97)] for index, key in enumerate(keys)})

        async def run_all() -> None:
            await asyncio.gather(*(asyncio.to_thread(core.run_part, part, job, key) for key in keys))

        asyncio.run(run_all())
        assert core.job(job.id).usage.input_tokens == sum(10**index % 97 for index in range(20))
        assert sorted(items(core, job)) == sorted(keys)
        assert [event.stage for event in core.events(job) if isinstance(event, StageStarted)][1:] == ["read_poem"]
        progress = [event.progress for event in core.events(job) if isinstance(event, Progress)]
        assert progress == sorted(progress)
        assert progress[-1] == 66.7

    def test_tokens_are_counted_before_the_result_is_appended(self) -> None:
        log = LosingLog()
        core = FakeCore(event_log=log)
        job = planned(core, "a")
        log.loses = ("request", "item")
        part = ScriptedPart(a=[uses(5), uses(7)])
        with pytest.raises(StorageUnavailable):
            core.run_part(part, job, "a")
        core.run_part(part, job, "a", retry=1)
        assert core.job(job.id).usage.input_tokens == 12


class LosingLog(FakeEventLog):
    """An event log that loses the request or the response of the next append of a type of event."""

    def __init__(self) -> None:
        super().__init__()
        self.loses: tuple[str, str] | None = None

    def append(self, job_id: str, batch: Batch) -> int:
        what, kind = self.loses or ("", "")
        hit = any(event.type == kind for event in batch.events)
        if hit:
            self.loses = None
        if hit and what == "request":
            raise StorageUnavailable("the request was lost")
        watched = super().append(job_id, batch)
        if hit:
            raise StorageUnavailable("the response was lost")
        return watched


class TestLostResponses:
    @pytest.mark.parametrize("what", ["request", "response"])
    @pytest.mark.parametrize("kind", ["stage", "item"])
    def test_a_retry_appends_nothing_twice(self, what: str, kind: str) -> None:
        log = LosingLog()
        core = FakeCore(event_log=log)
        job = planned(core, "a", "b")
        part = ScriptedPart()
        log.loses = (what, kind)
        with pytest.raises(StorageUnavailable):
            core.run_part(part, job, "a")
        core.run_part(part, job, "b")
        core.run_part(part, job, "a", retry=1)
        assert sorted(items(core, job)) == ["a", "b"]
        assert [event.stage for event in core.events(job) if isinstance(event, StageStarted)][1:] == ["read_poem"]
        finished = [key for key, status in subtasks(core, job) if status == "finished"]
        assert sorted(finished) == ["a", "b"]
        assert core.transcript(job).progress == 66.7


class TestStopping:
    def test_parts_of_an_ended_job_do_not_run(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        core.job_cancellation.cancel("ada", job.id)
        part = ScriptedPart()
        with pytest.raises(JobEnded):
            core.run_part(part, job, "a")
        assert part.runs == []

    def test_a_running_part_ends_soon_after_its_job_is_cancelled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(part_runner, "STOP_CHECK_SECONDS", 0.01)
        core = FakeCore()
        job = planned(core, "a")
        ended: list[str] = []

        async def silent(context: PartContext) -> dict[str, Any]:
            try:
                await asyncio.to_thread(core.job_cancellation.cancel, "ada", job.id)  # it may end in here already
                await asyncio.Event().wait()
            finally:
                ended.append("model call")
            return {}

        with pytest.raises(JobEnded):
            core.run_part(ScriptedPart(a=[silent]), job, "a")
        assert ended == ["model call"]
        assert core.job(job.id).last_fault is None
        assert [event.type for event in core.events(job)][-1] == "cancelled"

    def test_a_part_that_finishes_after_its_job_was_resumed_leaves_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(part_runner, "STOP_CHECK_SECONDS", 3600)  # it does not look between the two calls
        core = FakeCore()
        job = planned(core, "a", "b")

        async def overtaken(context: PartContext) -> dict[str, Any]:
            await asyncio.to_thread(core.job_cancellation.cancel, "ada", job.id)
            await asyncio.to_thread(core.job_resumption.resume, "ada", job.id)
            return await uses(5)(context)

        with pytest.raises(AttemptSuperseded):
            core.run_part(ScriptedPart(a=[overtaken]), job, "a")
        assert items(core, job) == []
        assert core.job(job.id).usage.input_tokens == 0

    def test_a_part_that_starts_after_the_next_stage_does_nothing(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        core.run_part(ScriptedPart(), job, "a")
        core.run(binds(), job)
        before = core.events(job)
        with pytest.raises(AttemptSuperseded):
            core.run_part(ScriptedPart(), job, "a", retry=1)
        assert core.events(job) == before


class TestTheStageAfter:
    def test_it_gets_the_results_in_the_order_in_which_they_were_named(self) -> None:
        core = FakeCore()
        job = planned(core, "c", "a", "b")
        for key in ("a", "b", "c"):
            core.run_part(ScriptedPart(), job, key)
        found: list[StageContext] = []
        core.run(binds(found), job)
        assert list(found[0].parts.items()) == [(key, {"read": key}) for key in ("c", "a", "b")]
        assert found[0].previous is not None
        assert found[0].previous.output == {"parts": ["c", "a", "b"]}
        assert core.transcript(job).text == "three poems; bound"
        assert of_type(core, job, Reset) == []

    def test_the_fan_out_has_a_checkpoint_then(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b")
        for key in ("a", "b"):
            core.run_part(ScriptedPart(), job, key)
        core.run(binds(), job)
        core.complete(job)
        now = core.job(job.id)
        assert list(now.checkpoints) == ["choose_poems", "read_poem", "bind_poems"]
        kept = core.checkpoints.get(job.id, "read_poem", now.checkpoints["read_poem"])
        assert (kept.output, kept.text) == ({"parts": ["a", "b"]}, "three poems;")
        latest = latest_checkpoint(now)
        assert latest is not None
        assert latest[0] == "bind_poems"
        view = core.job_queries.view("ada", job.id)
        assert view.result == {"lines": ["a", "b"]}
        assert [each.status for each in view.transcript.subtasks.values()] == ["finished", "finished"]

    def test_a_fan_out_of_no_parts_is_finished(self) -> None:
        core = FakeCore()
        job = planned(core)
        found: list[StageContext] = []
        core.run(binds(found), job)
        assert found[0].parts == {}
        assert of_type(core, job, Reset) == []

    def test_a_part_without_a_result_is_a_defect_that_names_it(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b", "c")
        core.run_part(ScriptedPart(), job, "b")
        with pytest.raises(InternalFault, match="2 of 3 parts of stage read_poem have no result: a, c"):
            core.run(binds(), job)
        assert list(core.job(job.id).checkpoints) == ["choose_poems"]

    def test_a_retry_gets_the_results_too(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        core.run_part(ScriptedPart(), job, "a")
        with pytest.raises(ModelUnavailable):
            core.run(ScriptedStage("bind_poems", fails(ModelUnavailable("down"), after=" half")), job)
        found: list[StageContext] = []
        core.run(binds(found), job, retry=1)
        assert found[0].parts == {"a": {"read": "a"}}
        assert core.transcript(job).text == "three poems; bound"
        (reset,) = of_type(core, job, Reset)
        assert isinstance(reset, Reset)
        assert (reset.text, reset.progress) == ("three poems;", 66.7)

    def test_a_first_attempt_that_runs_twice_resets_the_text_of_the_first(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nonces = iter(f"{number:08x}" for number in range(100))
        monkeypatch.setattr("shared.log.fence.secrets.token_hex", lambda _: next(nonces))
        core = FakeCore()
        job = planned(core, "a")
        core.run_part(ScriptedPart(), job, "a")
        with pytest.raises(ModelUnavailable):
            core.run(ScriptedStage("bind_poems", fails(ModelUnavailable("down"), after=" half")), job)
        core.run(binds(), job)
        assert core.transcript(job).text == "three poems; bound"


class TestResuming:
    def test_only_the_missing_parts_run_and_the_results_stay(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b", "c")
        part = ScriptedPart(b=[breaks(ModelRefused("no"))])
        for key in ("a", "b", "c"):
            try:
                core.run_part(part, job, key)
            except MillraceError:
                continue
        core.record_failure(job, "ModelRefused")
        resumed = core.job_resumption.resume("ada", job.id)
        assert core.transcript(job).text == "three poems;"
        assert list(core.transcript(job).items) == ["a", "c"]
        done = core.run(ScriptedStage("choose_poems"), resumed, generation=2)
        assert isinstance(done, FanOutDone)
        for key in done.parts:
            core.run_part(part, job, key, generation=2)
        assert part.runs == ["a", "b", "c", "b"]
        found: list[StageContext] = []
        core.run(binds(found), job, generation=2)
        assert list(found[0].parts) == ["a", "b", "c"]
        assert items(core, job) == ["a", "c", "b"]
        assert core.transcript(job).text == "three poems; bound"
        stages = [event.stage for event in core.events(job) if isinstance(event, StageStarted)]
        assert stages == ["choose_poems", "read_poem", "read_poem", "bind_poems"]

    def test_progress_is_that_of_the_finished_parts_again(self) -> None:
        core = FakeCore()
        job = planned(core, "a", "b")
        core.run_part(ScriptedPart(), job, "a")
        core.job_cancellation.cancel("ada", job.id)
        core.job_resumption.resume("ada", job.id)
        core.run_part(ScriptedPart(), job, "b", generation=2)
        first, last = core.log.appends[-2:]
        assert [event.type for event in first.events] == ["stage", "subtask", "progress"]
        assert first.events[-1] == Progress(progress=33.3)
        assert last.events[-1] == Progress(progress=66.7)

    def test_a_failed_stage_after_the_fan_out_resumes_with_its_results(self) -> None:
        core = FakeCore()
        job = planned(core, "a")
        core.run_part(ScriptedPart(), job, "a")
        with pytest.raises(ModelRefused):
            core.run(ScriptedStage("bind_poems", fails(ModelRefused("no"), after=" half")), job)
        core.record_failure(job, "ModelRefused")
        resumed = core.job_resumption.resume("ada", job.id)
        core.run(ScriptedStage("choose_poems"), resumed, generation=2)
        found: list[StageContext] = []
        core.run(binds(found), job, generation=2)
        assert found[0].parts == {"a": {"read": "a"}}
        assert core.transcript(job).text == "three poems; bound"
        assert [event.reason for event in core.events(job) if isinstance(event, Reset)] == ["RESUMED"]

    def test_the_pipeline_is_asked_with_the_outputs_of_the_finished_stages(self) -> None:
        asked: list[list[str]] = []
        pipeline = Pipelines(
            type(ANTHOLOGY)(
                **{
                    **{name: getattr(ANTHOLOGY, name) for name in ("name", "input_model", "result_model", "stages")},
                    "parts": ANTHOLOGY.parts,
                    "refuse_resume": lambda _, outputs: asked.append(list(outputs)),
                }
            )
        )
        core = FakeCore(pipelines=pipeline)
        job = planned(core, "a")
        core.run_part(ScriptedPart(), job, "a")
        core.job_cancellation.cancel("ada", job.id)
        core.job_resumption.resume("ada", job.id)
        core.run(ScriptedStage("choose_poems"), job, generation=2)
        with pytest.raises(ModelRefused):
            core.run(ScriptedStage("bind_poems", fails(ModelRefused("no"))), job, generation=2)
        core.record_failure(job, "ModelRefused", generation=2)
        core.job_resumption.resume("ada", job.id)
        assert asked == [["choose_poems"], ["choose_poems", "read_poem"]]


class TestCompaction:
    def test_the_log_stays_bounded_and_keeps_every_result(self) -> None:
        core = FakeCore(bounds=LogBounds(max_events=10))
        keys = [f"part-{number:02}" for number in range(40)]
        job = planned(core, *keys)
        for key in keys:
            core.run_part(ScriptedPart(), job, key)
        assert len(core.log.read(job.id, after=0)) < 20
        assert list(core.transcript(job).items) == keys
        found: list[StageContext] = []
        core.run(binds(found), job)
        assert list(found[0].parts) == keys

    def test_exactly_one_append_compacts_at_each_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore(bounds=LogBounds(max_events=10))
        compacted: list[int] = []
        compact = core.log.compact

        def counted(job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
            compacted.append(snapshot.seq)
            compact(job_id, snapshot, expires_at=expires_at)

        monkeypatch.setattr(core.log, "compact", counted)
        job = planned(core, *(f"part-{number:02}" for number in range(20)))
        for number in range(20):
            core.run_part(ScriptedPart(), job, f"part-{number:02}")
        assert len(compacted) == core.log.tail(job.id).seq // 10
