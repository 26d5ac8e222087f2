"""Items inside a stage: the log keeps each one, and the next attempt continues after the last one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.errors import AttemptSuperseded, InternalFault, ModelUnavailable
from shared.jobs.invocation import CaughtError, FailureInvocation, StageInvocation
from shared.jobs.job import Job
from shared.log import writer as writing
from shared.log.event_log import LogBounds, LogTail
from shared.log.events import Delta, Item, Progress, Reset, Snapshot, StageStarted
from shared.log.reader import LogReader
from shared.log.writer import MAX_ITEM_BYTES
from shared.stages.stage import StageContext
from tests.fakes.core import POEM, FakeCore, ScriptedStage, a_request, says
from tests.fakes.event_log import FakeEventLog

Script = Callable[[StageContext], Awaitable[dict[str, Any]]]


def verses(*numbers: int, broken_by: Exception | None = None, found: list[Any] | None = None) -> Script:
    """Return a script that adds these verses as items; `found` collects the items and the text at its start."""

    async def script(context: StageContext) -> dict[str, Any]:
        if found is not None:
            found.append((dict(context.items), context.output.text))
        for number in numbers:
            context.output.write(f"verse {number};")
            await context.add_item(f"verse-{number}", {"number": number})
        if broken_by is not None:
            context.output.write("half a ver")
            raise broken_by
        return {"verses": sorted(context.items)}

    return script


def items_of(core: FakeCore, job: Job) -> list[int]:
    return [event.data["number"] for event in core.events(job) if isinstance(event, Item)]


def run_draft_until_it_fails(core: FakeCore, job: Job, *numbers: int) -> None:
    with pytest.raises(ModelUnavailable):
        core.run(ScriptedStage("draft", verses(*numbers, broken_by=ModelUnavailable("down"))), job)


class TestAddingItems:
    def test_an_item_is_stored_with_its_text_in_one_append(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            context.output.report_progress(10)
            context.output.write("verse 1;")
            await context.add_item("verse-1", {"number": 1})
            return {}

        core.run(ScriptedStage("draft", script), job)
        kept = Item(stage="draft", key="verse-1", data={"number": 1}, text_length=8)
        assert [batch.events for batch in core.log.appends] == [
            (StageStarted(stage="draft", index=1, of=2),),
            (Delta(text="verse 1;"), Progress(progress=10), kept),
        ]
        assert core.transcript(job).items == {"verse-1": kept}

    def test_an_item_without_text_has_its_own_append(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            await context.add_item("verse-1", {"number": 1})
            return {}

        core.run(ScriptedStage("draft", script), job)
        assert items_of(core, job) == [1]

    def test_an_item_without_text_is_stored_with_the_newest_response_cursor(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            context.output.write("verse 1;", cursor="before its end")
            await context.output.flush()
            context.output.write("", cursor="after its end")
            await context.add_item("verse-1", {"number": 1})
            return {}

        core.run(ScriptedStage("draft", script), job)
        assert core.log.tail(job.id).cursor == "after its end"

    def test_an_item_that_is_too_large_is_a_defect_and_is_not_stored(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            await context.add_item("verse-1", {"text": "x" * MAX_ITEM_BYTES})
            return {}

        with pytest.raises(InternalFault):
            core.run(ScriptedStage("draft", script), job)
        assert items_of(core, job) == []

    def test_compaction_keeps_the_items_for_a_later_reader(self) -> None:
        core = FakeCore(bounds=LogBounds(max_events=6))
        job = core.new_job()
        core.run(ScriptedStage("draft", verses(*range(20))), job)
        assert len(core.log.read(job.id, after=0)) < 20
        assert list(core.transcript(job).items) == [f"verse-{number}" for number in range(20)]
        (snapshot, *_) = (frame.event for frame in LogReader(core.log, job.id, after=2).poll())
        assert isinstance(snapshot, Snapshot)
        assert [item.data["number"] for item in snapshot.items] == list(range(len(snapshot.items)))


class TestItemsOfEarlierAttempts:
    def test_a_retry_finds_the_items_and_the_text_up_to_the_last_item(self) -> None:
        core = FakeCore()
        job = core.new_job()
        run_draft_until_it_fails(core, job, 1, 2, 3)
        found: list[Any] = []
        core.run(ScriptedStage("draft", verses(4, 5, found=found)), job, retry=1)
        assert found == [({f"verse-{number}": {"number": number} for number in (1, 2, 3)}, "verse 1;verse 2;verse 3;")]
        (reset,) = [event for event in core.events(job) if isinstance(event, Reset)]
        assert (reset.text, reset.reason) == ("verse 1;verse 2;verse 3;", "MODEL_UNAVAILABLE")
        assert items_of(core, job) == [1, 2, 3, 4, 5]
        assert core.transcript(job).text == "verse 1;verse 2;verse 3;verse 4;verse 5;"
        ref = core.job(job.id).checkpoints["draft"]
        assert core.checkpoints.get(job.id, "draft", ref).output == {"verses": [f"verse-{n}" for n in range(1, 6)]}

    def test_a_retry_finds_items_that_compaction_moved_into_a_snapshot(self) -> None:
        core = FakeCore(bounds=LogBounds(max_events=6))
        job = core.new_job()
        run_draft_until_it_fails(core, job, *range(20))
        found: list[Any] = []
        core.run(ScriptedStage("draft", verses(found=found)), job, retry=1)
        items, text = found[0]
        assert list(items) == [f"verse-{number}" for number in range(20)]
        assert text == "".join(f"verse {number};" for number in range(20))

    def test_a_superseded_attempt_can_add_no_item(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 3600)  # it ends at the item, not while the retry runs in it
        core = FakeCore()
        job = core.new_job()

        async def superseded(context: StageContext) -> dict[str, Any]:
            await context.add_item("verse-1", {"number": 1})
            retry = StageInvocation(job_id=job.id, generation=1, retry=1)
            await core.runner.run(POEM, ScriptedStage("draft", verses(2)), retry)
            await context.add_item("verse-3", {"number": 3})
            return {}

        with pytest.raises(AttemptSuperseded):
            core.run(ScriptedStage("draft", superseded), job)
        assert items_of(core, job) == [1, 2]

    def test_the_next_attempt_finds_an_item_that_is_added_during_its_claim(self) -> None:
        log = LateItem()
        core = FakeCore(event_log=log)
        job = core.new_job()
        log.after_next_tail = lambda: log.append_late(job.id)
        run_draft_until_it_fails(core, job, 1)
        log.armed = True
        found: list[Any] = []
        core.run(ScriptedStage("draft", verses(3, found=found)), job, retry=1)
        assert sorted(found[0][0]) == ["verse-1", "verse-2"]
        assert items_of(core, job) == [1, 2, 3]

    def test_a_resumed_job_continues_after_the_last_item(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        core.run(ScriptedStage("draft", says("title;")), job)
        with pytest.raises(ModelUnavailable):
            core.run(ScriptedStage("polish", verses(1, 2, broken_by=ModelUnavailable("down"))), job)
        caught = CaughtError.model_validate({"Error": "ModelUnavailable"})
        core.job_completion.record_failure(FailureInvocation(job_id=job.id, generation=1, failure=caught))

        resumed = core.job_resumption.resume("ada", job.id)
        assert core.transcript(job).text == "title;verse 1;verse 2;"
        core.run(ScriptedStage("draft"), resumed, generation=2)
        found: list[Any] = []
        core.run(ScriptedStage("polish", verses(3, found=found)), resumed, generation=2)
        core.complete(resumed, generation=2)

        assert found == [({"verse-1": {"number": 1}, "verse-2": {"number": 2}}, "title;verse 1;verse 2;")]
        assert items_of(core, job) == [1, 2, 3]
        assert core.transcript(job).text == "title;verse 1;verse 2;verse 3;"
        resets = [event for event in core.events(job) if isinstance(event, Reset)]
        assert [(reset.reason, reset.text) for reset in resets] == [("RESUMED", "title;verse 1;verse 2;")]

    def test_an_attempt_that_re_attaches_finds_all_text_and_the_items(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def fails_half_way(context: StageContext) -> dict[str, Any]:
            context.output.write("verse 1;", cursor="at 1")
            await context.add_item("verse-1", {"number": 1})
            context.output.write("half a ver", cursor="at half")
            await context.output.flush()
            raise ModelUnavailable("down")

        with pytest.raises(ModelUnavailable):
            core.run(ScriptedStage("draft", fails_half_way), job)
        seen: list[StageContext] = []

        async def re_attaches(context: StageContext) -> dict[str, Any]:
            seen.append(context)
            assert (context.output.text, context.response_cursor) == ("verse 1;half a ver", "at half")
            return {}

        core.run(ScriptedStage("draft", re_attaches), job, retry=1)
        assert seen[0].items == {"verse-1": {"number": 1}}


class LateItem(FakeEventLog):
    """An event log in which another attempt adds verse 2 right after a read of the log's tail."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self.after_next_tail: Callable[[], None] = lambda: None

    def tail(self, job_id: str) -> LogTail:
        tail = super().tail(job_id)
        if self.armed:
            self.armed = False
            self.after_next_tail()
        return tail

    def append_late(self, job_id: str) -> None:
        newest = super().tail(job_id)
        assert newest.fence is not None
        item = Item(stage="draft", key="verse-2", data={"number": 2}, text_length=8)
        batch = self.appends[-1]
        late = batch.__class__(newest.seq + 1, (item,), newest.fence, batch.at, expires_at=batch.expires_at)
        self.append(job_id, late)
