"""A process that is killed between any two of its appends loses no text, however long the text is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Literal, get_args

import pytest

from shared.errors import ModelUnavailable
from shared.jobs.job import Job
from shared.log.event_log import Batch, LogBounds
from shared.log.writer import MAX_DELTA_CHARS
from shared.stages.model_answers import reset_text
from shared.stages.stage import StageContext
from tests.fakes.core import FakeCore, ScriptedStage, a_request, says
from tests.fakes.event_log import FakeEventLog

DRAFT = "🏔️é draft;" * 7_000
CHUNK = "a 🎼 line;\n" * 2_500
RESPONSE = [f"{number}: {CHUNK}" for number in range(5)]
VERSE_ENDS = 3
"""The number of chunks of the response after which the stage adds an item."""

BOUNDS = [LogBounds(), LogBounds(max_events=6)]


Script = Callable[[StageContext], Awaitable[dict[str, Any]]]


class Killed(BaseException):
    """The process has been killed."""


class MortalLog(FakeEventLog):
    """An event log whose process is killed at one of its next appends, before or after the append is stored."""

    def __init__(self) -> None:
        super().__init__()
        self._left: int | None = None
        self._stores_the_last = False

    def kill_at(self, append: int | None, *, stored: bool = False) -> None:
        """Begin a new process, which is killed at this append, counted from 1; None if it is not killed."""
        self._left, self._stores_the_last = append, stored

    def append(self, job_id: str, batch: Batch) -> int:
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                if self._left == 0 and self._stores_the_last:
                    super().append(job_id, batch)
                raise Killed
        return super().append(job_id, batch)


Mode = Literal["re-attaching", "after the last item", "repairing"]
"""How a retried attempt continues: with the model's response, after the last item, or from the checkpoint before."""

MODES: tuple[Mode, ...] = get_args(Mode)
WHOLE = {**dict.fromkeys(MODES, DRAFT + "".join(RESPONSE)), "repairing": "".join(RESPONSE)}


def polishes(mode: Mode, *, fails_after: int | None = None) -> Script:
    """Return a script that reads the model's response to its end, from where an earlier attempt has come."""

    async def script(context: StageContext) -> dict[str, Any]:
        begin = VERSE_ENDS if context.items else 0
        if context.response_cursor is not None:
            begin = int(context.response_cursor)
        assert is_same(context.output.text, DRAFT + "".join(RESPONSE[:begin]))
        if mode == "repairing":
            await reset_text(context, "REPAIR", "the draft is not valid")
        for number in range(begin, len(RESPONSE)):
            if number == fails_after:
                raise ModelUnavailable("down")
            context.output.write(RESPONSE[number], cursor=str(number + 1) if mode == "re-attaching" else None)
            if number + 1 == VERSE_ENDS and mode != "repairing":
                await context.add_item("verse", {"number": number})
            await context.output.flush()
        return {}

    return script


def is_same(found: str, expected: str) -> bool:
    """Compare outside an assertion, because pytest would compare long texts character by character."""
    return found == expected


def survives(act: Callable[..., object], *arguments: Any, **named: Any) -> bool:
    """Call `act` and return whether its process survived."""
    try:
        act(*arguments, **named)
    except Killed:
        return False
    return True


def polish(core: FakeCore, job: Job, script: Script, *, retry: int = 0, generation: int = 1) -> None:
    core.run(ScriptedStage("polish", script), job, retry=retry, generation=generation)


def failed_in_polish(bounds: LogBounds, mode: Mode) -> tuple[FakeCore, MortalLog, Job]:
    log = MortalLog()
    core = FakeCore(event_log=log, bounds=bounds)
    job = core.job_creation.create("ada", a_request())
    core.run(ScriptedStage("draft", says(DRAFT)), job)
    with pytest.raises(ModelUnavailable):
        polish(core, job, polishes(mode, fails_after=4))
    return core, log, job


def lost_of(core: FakeCore, job: Job, expected: str) -> int:
    """Return how many characters are missing; raise AssertionError if a character is wrong."""
    text = core.transcript(job).text
    assert is_same(text, expected) or len(text) != len(expected)
    return len(expected) - len(text)


def test_the_texts_are_longer_than_one_event_holds() -> None:
    assert len(DRAFT) > MAX_DELTA_CHARS
    assert sum(map(len, RESPONSE)) > 2 * MAX_DELTA_CHARS


@pytest.mark.parametrize("bounds", BOUNDS, ids=["whole log", "compacted log"])
@pytest.mark.parametrize("stored", [False, True], ids=["before an append", "after an append"])
@pytest.mark.parametrize("mode", MODES)
def test_a_retry_that_is_killed_at_any_append_loses_no_text(bounds: LogBounds, stored: bool, mode: Mode) -> None:
    for append in count(1):
        core, log, job = failed_in_polish(bounds, mode)
        log.kill_at(append, stored=stored)
        survived = survives(polish, core, job, polishes(mode), retry=1)
        log.kill_at(None)
        if not survived:
            polish(core, job, polishes(mode), retry=2)
        core.complete(job)

        assert lost_of(core, job, WHOLE[mode]) == 0, f"killed at append {append}"
        if survived:
            assert append > 2, "no append was tried"
            return


@pytest.mark.parametrize("bounds", BOUNDS, ids=["whole log", "compacted log"])
@pytest.mark.parametrize("stored", [False, True], ids=["before an append", "after an append"])
@pytest.mark.parametrize("mode", MODES)
def test_a_resumption_that_is_killed_at_any_append_loses_no_text(bounds: LogBounds, stored: bool, mode: Mode) -> None:
    for append in count(1):
        core, log, job = failed_in_polish(bounds, mode)
        core.record_failure(job)
        log.kill_at(append, stored=stored)
        survived = survives(core.job_resumption.resume, "ada", job.id)
        log.kill_at(None)
        if not survived:
            core.record_failure(core.job(job.id), generation=2)
            core.job_resumption.resume("ada", job.id)
        generation = core.job(job.id).generation
        polish(core, job, polishes(mode), generation=generation)
        core.complete(job, generation=generation)

        assert lost_of(core, job, WHOLE[mode]) == 0, f"killed at append {append}"
        if survived:
            assert append > 1, "no append was tried"
            return
