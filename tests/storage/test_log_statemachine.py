"""No interleaving of writers, cancellations, compactions and readers that Hypothesis finds breaks the log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from shared.errors import AttemptStopped, AttemptSuperseded, JobEnded, StorageUnavailable
from shared.jobs.ending import ensure_terminal_event
from shared.jobs.ids import new_job_id
from shared.jobs.job import LIVE, Job, JobStatus
from shared.jobs.store import JobGuard, StaleWrite
from shared.log.claim import Opening, claim
from shared.log.compaction import compact
from shared.log.event_log import MAX_BATCH, Batch, EventLog, LogBounds, LogEntry, LogSnapshot, LogTail
from shared.log.events import TERMINAL, Delta, Item, Progress, Snapshot, StageStarted, StoredEvent, StoredReset
from shared.log.fence import Fence
from shared.log.reader import LogReader, read_transcript
from shared.log.shared_writer import EventsOf, SharedWriter
from shared.log.transcript import KeptText, Transcript
from shared.log.writer import LogWriter
from tests.fakes.clock import EXPIRES_AT, SettableClock
from tests.fakes.core import a_job
from tests.fakes.event_log import FakeEventLog
from tests.fakes.jobs import FakeJobStore
from tests.storage.machines import run_machine
from tests.storage.ports import AwsServer, adapters

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

BOUNDS = LogBounds(max_events=4)
WHICH = st.integers(0, 11)
TEXTS = st.lists(st.text("ab é🎼", min_size=1, max_size=3), min_size=1, max_size=8)
LAG = st.frozensets(st.integers(0, 5), max_size=2)
"""The batches, counted from the newest, that a read does not return yet."""

LOSSES = st.sampled_from([None, None, None, None, "request", "answer"])
"""The part of the next append that is lost: its request or its response."""

NONCES = iter(f"{number:08x}" for number in range(10**9))


class WatchedLog:
    """The log under test: records every event, checks each append, loses responses, and returns old reads."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.history: list[StoredEvent] = []
        self.fences: list[Fence] = []
        self.watched = 0
        self.is_marked = False
        self.loses: str | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        """Called once, before the next append."""
        self.lag: frozenset[int] = frozenset()

    def append(self, job_id: str, batch: Batch) -> int:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        lost, self.loses = self.loses, None
        if lost == "request":
            raise StorageUnavailable("the request was lost")
        watched = self._log.append(job_id, batch)
        if not self._is_repeat(batch):
            self._check(batch)
            self.history += batch.events
            self.fences += [batch.fence] * len(batch.events)
            assert watched == self.watched, "the append has not learned of a subscription"
        if lost == "answer":
            raise StorageUnavailable("the answer was lost")
        return watched

    def _is_repeat(self, batch: Batch) -> bool:
        place = slice(batch.first - 1, batch.last)
        return self.history[place] == list(batch.events) and set(self.fences[place]) == {batch.fence}

    def _check(self, batch: Batch) -> None:
        assert batch.first == len(self.history) + 1, "appended elsewhere than at the end"
        assert not self.fences or self.fences[-1] <= batch.fence, "a superseded attempt has appended"
        for event, fence in zip(self.history, self.fences, strict=True):
            if event.type in TERMINAL:
                assert fence.generation < batch.fence.generation, "appended after the end"
        assert batch.watched == self.watched, "an earlier subscription is forgotten"
        self.watched = batch.first if self.is_marked else self.watched
        self.is_marked = False

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        entries = self._log.read(job_id, after=after, consistent=consistent)
        if consistent:
            return entries
        newest_first = sorted({entry.first for entry in entries}, reverse=True)
        hidden = {first for place, first in enumerate(newest_first) if place in self.lag}
        return [entry for entry in entries if entry.first not in hidden]

    def mark_watched(self, job_id: str, *, expires_at: int) -> int:
        self.is_marked = True
        return self._log.mark_watched(job_id, expires_at=expires_at)

    def tail(self, job_id: str) -> LogTail:
        return self._log.tail(job_id)

    def progress_of(self, job_ids: Sequence[str]) -> Mapping[str, float]:
        return self._log.progress_of(job_ids)

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        return self._log.snapshot(job_id)

    def compact(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        self._log.compact(job_id, snapshot, expires_at=expires_at)

    def renew(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        self._log.renew(job_id, snapshot, expires_at=expires_at)

    def erase(self, job_id: str, *, expires_at: int) -> None:
        self._log.erase(job_id, expires_at=expires_at)

    def purge(self, job_id: str) -> None:
        self._log.purge(job_id)


@dataclass(frozen=True)
class Claimant:
    """An attempt that has claimed the job and read the log's end, but has not appended yet."""

    fence: Fence
    seen: LogTail


@dataclass(eq=False)
class Watcher:
    """A watcher: its transcript, and the reader of its current connection."""

    reader: LogReader
    transcript: Transcript = field(default_factory=Transcript)


def texts_of(events: Sequence[StoredEvent]) -> tuple[str, str]:
    """Return the text after the events, and the text when their last stage began: in the plainest way."""
    text, checkpoint, stage = "", "", None
    for event in events:
        if isinstance(event, Delta):
            text += event.text
        elif isinstance(event, StoredReset):
            text = (checkpoint if event.kept_of == "checkpoint" else text)[: event.kept_characters]
        elif isinstance(event, StageStarted) and event.stage != stage:
            checkpoint, stage = text, event.stage
    return text, checkpoint


def folded(events: Sequence[StoredEvent]) -> tuple[object, ...]:
    transcript = Transcript()
    for seq, event in enumerate(events, 1):
        transcript.apply(seq, event)
    assert (transcript.text, transcript.checkpoint_text) == texts_of(events)
    return shown(transcript)


def resumed(kept: KeptText) -> StoredReset:
    return StoredReset(
        kept_of=kept.of,
        kept_characters=len(kept.text),
        progress=0,
        reason="RESUMED",
        message="again",
        attempt=1,
        retry_count=0,
    )


def stage_of(fence: Fence) -> str:
    return f"stage {fence.stage}"


def shown(transcript: Transcript) -> tuple[object, ...]:
    return transcript.seq, transcript.text, transcript.stage, transcript.progress, list(transcript.items.values())


class LogMachine(RuleBasedStateMachine):
    """One job's log with its attempts, cancellations, resumptions and watchers."""

    make_log: ClassVar[Callable[[], EventLog]]

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = SettableClock()
        self.jobs = FakeJobStore(clock=self.clock)
        self.job = a_job(new_job_id(0))
        self.jobs.put_new(self.job)
        self.log = WatchedLog(type(self).make_log())
        self.rank = 0
        self.claims = 0
        self.claimants: list[Claimant] = []
        self.writers: list[LogWriter] = []
        self.parts: list[SharedWriter] = []
        self.ended: list[Job] = []
        self.watchers: list[Watcher] = []
        self.kept = 0
        self.announced: set[int] = set()

    # ---- attempts --------------------------------------------------------------------------------------------------

    @rule(step=st.sampled_from([-1, 0, 1, 1]), behind=st.sampled_from([0, 0, 0, 1]), pauses=st.booleans())
    def claim(self, step: int, behind: int, pauses: bool) -> None:
        """Claim the job for an attempt; it may be late, with a lower fence or an older generation."""
        current = self.current()
        self.rank = max(0, self.rank + step)
        fence = Fence(max(1, current.generation - behind), self.rank // 4, self.rank % 4, next(NONCES))
        guard = JobGuard(status_in=LIVE, generation=fence.generation, fence_up_to=str(fence))
        try:
            self.jobs.update(current.id, {"fence": str(fence), "status": JobStatus.IN_PROGRESS}, when=guard)
        except StaleWrite:
            return
        claimant = Claimant(fence, self.log.tail(self.job.id))
        if pauses:
            self.claimants.append(claimant)
        else:
            self.take_the_log(claimant)

    @precondition(lambda self: self.claimants)
    @rule(which=WHICH)
    def continue_a_claim(self, which: int) -> None:
        """Continue an attempt that paused between its read of the log's end and its first append, however long."""
        self.take_the_log(self.claimants.pop(which % len(self.claimants)))

    def take_the_log(self, claimant: Claimant) -> None:
        fence = claimant.fence
        found = read_transcript(self.log, self.job.id, consistent=True)
        kept = found.keep(self.kept_text(found, stage_of(fence)))
        started = StageStarted(stage=stage_of(fence), index=1, of=3)
        try:
            tail = claim(
                self.log,
                self.job.id,
                fence,
                (resumed(kept), started),
                at=self.clock,
                expires_at=EXPIRES_AT,
                expected=claimant.seen,
            )
        except (AttemptStopped, StorageUnavailable):
            return
        if tail is None:
            self.claimants.append(Claimant(fence, self.log.tail(self.job.id)))
            return
        self.claims += 1
        self.check_what_is_left(found, stage_of(fence), before=tail.seq - 2)
        writer = LogWriter(
            self.log,
            self.job.id,
            fence,
            tail=tail,
            text=kept.text,
            progress=0,
            expires_at=EXPIRES_AT,
            clock=self.clock,
            bounds=BOUNDS,
            check_job=lambda: self.refuse_if_stopped(fence),
        )
        self.writers.append(writer)

    @staticmethod
    def kept_text(found: Transcript, stage: str) -> str:
        """Return the text up to the stage's last item; without an item, the text when the newest stage began."""
        up_to_last_item = found.text_up_to_last_item(stage)
        return found.checkpoint_text if up_to_last_item is None else up_to_last_item

    def check_what_is_left(self, found: Transcript, stage: str, *, before: int) -> None:
        """Check what a new attempt read of the log before it claimed its end, with no append in between."""
        history = self.log.history[:before]
        assert (found.text, found.checkpoint_text) == texts_of(history)
        kept = [event for event in history if isinstance(event, Item)]
        assert list(found.items.values()) == kept
        own = [place for place, event in enumerate(history) if isinstance(event, Item) and event.stage == stage]
        if own and not any(isinstance(event, StoredReset) for event in history[own[-1] :]):
            assert found.text_up_to_last_item(stage) == folded(history[: own[-1] + 1])[1]

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, text=st.text("ab é🎼", max_size=3), lag=LAG, loses=LOSSES)
    def keep(self, which: int, text: str, lag: frozenset[int], loses: str | None) -> None:
        self.kept += 1
        number = self.kept

        async def act(writer: LogWriter) -> None:
            assert writer.tail.fence is not None
            writer.write(text)
            await writer.append_item(stage_of(writer.tail.fence), f"item-{number}", {"number": number})

        self.use_writer(which, lag, loses, act)

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, texts=TEXTS, progress=st.integers(0, 100), lag=LAG, loses=LOSSES)
    def write(self, which: int, texts: list[str], progress: int, lag: frozenset[int], loses: str | None) -> None:
        self.use_writer(which, lag, loses, lambda writer: self.write_each(writer, texts, progress))

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, count=st.integers(1, 9), lag=LAG, loses=LOSSES)
    def append(self, which: int, count: int, lag: frozenset[int], loses: str | None) -> None:
        events = [StageStarted(stage=f"part {number}", index=1, of=1) for number in range(count)]
        self.use_writer(which, lag, loses, lambda writer: writer.append(*events))

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, text=st.text("xy🎼", max_size=3), keep=st.integers(0, 9), progress=st.integers(0, 100))
    def start_over(self, which: int, text: str, keep: int, progress: int) -> None:
        """Keep the beginning of the text, perhaps with text that is not appended yet."""

        async def act(writer: LogWriter) -> None:
            writer.write(text)
            kept = min(keep, len(writer.text))
            event = StoredReset(
                kept_characters=kept, progress=progress, reason="REPAIR", message="", attempt=1, retry_count=0
            )
            expected = writer.text[:kept]
            await writer.reset(event)
            assert writer.text == expected

        self.use_writer(which, frozenset(), None, act)

    @staticmethod
    async def write_each(writer: LogWriter, texts: list[str], progress: int) -> None:
        for text in texts:
            writer.write(text)
            writer.report_progress(progress)
            await writer.flush()
        await writer.append()  # checks the size limit, as the pump does

    def use_writer(
        self, which: int, lag: frozenset[int], loses: str | None, act: Callable[[LogWriter], Awaitable[None]]
    ) -> None:
        writer = self.writers[which % len(self.writers)]
        self.log.lag, self.log.loses = lag, loses
        try:
            self.loop.run_until_complete(act(writer))
        except AttemptStopped:
            self.writers.remove(writer)
        except StorageUnavailable:
            self.flush_once_more(writer)
            self.writers.remove(writer)
        else:
            text = folded(self.log.history)[1]
            assert writer.text == text
        finally:
            self.log.lag, self.log.loses = frozenset(), None

    def flush_once_more(self, writer: LogWriter) -> None:
        """Append the rest, as `LogWriter.run` does after a fault."""
        try:
            self.loop.run_until_complete(writer.flush())
        except (AttemptStopped, StorageUnavailable):
            return
        if writer.tail.fence == self.log.fences[-1]:
            assert writer.text == folded(self.log.history)[1]

    def refuse_if_stopped(self, fence: Fence) -> None:
        current = self.current()
        if current.status.ended:
            raise JobEnded("ended")
        if current.fence != str(fence):
            raise AttemptSuperseded("superseded")

    # ---- parts, which share a fence --------------------------------------------------------------------------------

    @rule(behind=st.sampled_from([0, 0, 0, 1]))
    def begin_a_part(self, behind: int) -> None:
        current = self.current()
        fence = Fence.of_parts(generation=max(1, current.generation - behind), stage=self.rank // 4)
        guard = JobGuard(status_in=LIVE, generation=fence.generation, fence_up_to=str(fence))
        try:
            self.jobs.update(current.id, {"fence": str(fence), "status": JobStatus.IN_PROGRESS}, when=guard)
        except StaleWrite:
            return
        self.claims += 1
        writer = SharedWriter(
            self.log,
            self.job.id,
            fence,
            after=0,
            expires_at=EXPIRES_AT,
            clock=self.clock,
            bounds=BOUNDS,
            check_job=lambda: self.refuse_if_stopped(fence),
            sleep=lambda _: None,
        )
        self.parts.append(writer)

    @precondition(lambda self: self.parts)
    @rule(which=WHICH, key=st.integers(0, 5), loses=LOSSES, others=st.sampled_from([0, 0, 3, 9]))
    def finish_a_part(self, which: int, key: int, loses: str | None, others: int) -> None:
        """Append a part's item. Between the read of the log's end and the append, other parts append and compact."""
        writer = self.parts[which % len(self.parts)]
        self.log.meanwhile, self.log.loses = (lambda: self.move_parts(others, writer)), loses
        try:
            writer.append(self.item_once(writer, f"part-{key}"))
        except AttemptStopped:
            self.parts.remove(writer)
        except StorageUnavailable:
            pass  # a part has no buffer, so its writer can go on
        finally:
            self.log.meanwhile, self.log.loses = (lambda: None), None

    def move_parts(self, count: int, waiting: SharedWriter) -> None:
        """Let the parts append, except the one that is appending."""
        others = [part for part in self.parts if part is not waiting]
        loses, self.log.loses = self.log.loses, None
        for number in range(count if others else 0):
            other = others[number % len(others)]
            with contextlib.suppress(AttemptStopped):
                other.append(lambda *_: (Progress(progress=0),))
        if count:
            compact(self.log, self.job.id, 0, expires_at=EXPIRES_AT)
        self.log.loses = loses

    @staticmethod
    def item_once(writer: SharedWriter, key: str) -> EventsOf:
        def events(transcript: Transcript, _: bool) -> Sequence[StoredEvent]:
            item = Item(stage=stage_of(writer.fence), key=key, data={}, text_length=len(transcript.text))
            return () if key in transcript.items else (item,)

        return events

    # ---- the job's ends --------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.log.history) > 20)
    @rule(says_so=st.booleans())
    def cancel(self, says_so: bool) -> None:
        """Cancel the job; its event may follow much later, or never."""
        try:
            job = self.jobs.update(self.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard(status_in=LIVE))
        except StaleWrite:
            return
        self.ended.append(job)
        if says_so:
            ensure_terminal_event(self.log, job, clock=self.clock)

    @precondition(lambda self: self.ended)
    @rule(which=WHICH, loses=LOSSES)
    def say_how_it_ended(self, which: int, loses: str | None) -> None:
        self.log.loses = loses
        try:
            ensure_terminal_event(self.log, self.ended[which % len(self.ended)], clock=self.clock)
        except StorageUnavailable:
            return
        finally:
            self.log.loses = None

    @precondition(lambda self: self.current().status.ended)
    @rule()
    def resume(self) -> None:
        current = self.current()
        changes = {"status": JobStatus.PENDING, "generation": current.generation + 1}
        self.jobs.update(current.id, changes, when=JobGuard())

    @precondition(lambda self: self.current().generation > 1)
    @rule(which=st.integers(0, 2))
    def announce(self, which: int) -> None:
        """Claim the log for the resumed job, with the current text; once per generation."""
        generation = self.current().generation
        if generation in self.announced:
            return
        self.announced.add(generation)
        found = Transcript()

        def opening(_: LogTail) -> Opening:
            nonlocal found
            found = read_transcript(self.log, self.job.id, consistent=True)
            return Opening((resumed(found.keep(self.kept_text(found, f"stage {which}"))),))

        try:
            tail = claim(
                self.log, self.job.id, Fence.of_resumption(generation), opening, at=self.clock, expires_at=EXPIRES_AT
            )
        except (AttemptStopped, StorageUnavailable):
            return
        self.claims += 1
        self.check_what_is_left(found, f"stage {which}", before=tail.seq - 1)

    def current(self) -> Job:
        job = self.jobs.get(self.job.id)
        assert job is not None
        return job

    # ---- watchers --------------------------------------------------------------------------------------------------

    @rule()
    def subscribe(self) -> None:
        assert self.log.mark_watched(self.job.id, expires_at=EXPIRES_AT) == len(self.log.history)

    @rule()
    def connect(self) -> None:
        self.watchers.append(Watcher(LogReader(self.log, self.job.id)))

    @precondition(lambda self: self.watchers)
    @rule(which=WHICH, lag=LAG)
    def look(self, which: int, lag: frozenset[int]) -> None:
        self.log.lag = lag
        try:
            self.take_in(self.watchers[which % len(self.watchers)])
        finally:
            self.log.lag = frozenset()

    @precondition(lambda self: self.watchers)
    @rule(which=WHICH)
    def reconnect(self, which: int) -> None:
        watcher = self.watchers[which % len(self.watchers)]
        watcher.reader = LogReader(self.log, self.job.id, after=watcher.transcript.seq)

    def take_in(self, watcher: Watcher) -> None:
        for frame in watcher.reader.poll():
            assert frame.id > watcher.transcript.seq, "seen twice"
            assert not frame.terminal or frame.id == len(self.log.history), "told an end that is not the last"
            if isinstance(frame.event, Snapshot):
                _, text, _, _, items = folded(self.log.history[: frame.id])
                assert (frame.event.text, list(frame.event.items)) == (text, items)
            else:
                assert frame.id == watcher.transcript.seq + 1, "an event was left out"
                stored = self.log.history[frame.id - 1]
                text, _ = texts_of(self.log.history[: frame.id])
                assert frame.event == (stored.as_sent(text) if isinstance(stored, StoredReset) else stored)
            watcher.transcript.apply(frame.id, frame.event)
        assert shown(watcher.transcript) == folded(self.log.history[: watcher.transcript.seq])

    # ---- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def the_log_ends_where_its_history_does(self) -> None:
        tail = self.log.tail(self.job.id)
        assert (tail.seq, tail.watched) == (len(self.log.history), self.log.watched)

    @invariant()
    def every_part_has_at_most_one_item(self) -> None:
        keys = [event.key for event in self.log.history if isinstance(event, Item)]
        assert len(keys) == len(set(keys))

    @invariant()
    def the_log_is_bounded(self) -> None:
        # Beyond the limit: what a compaction with an old read kept, and what attempts append before they compact.
        kept = len(self.log.read(self.job.id, after=0))
        assert kept <= 40 + (self.claims + self.current().generation) * MAX_BATCH

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        late = Watcher(LogReader(self.log, self.job.id))
        for watcher in (late, *self.watchers):
            self.take_in(watcher)
            assert shown(watcher.transcript) == folded(self.log.history)


def test_no_interleaving_breaks_the_log_in_memory() -> None:
    run_machine(LogMachine, make_log=FakeEventLog, examples=120, steps=60)


class FreshLog:
    """The adapter with a new partition for each example."""

    def __init__(self, log: EventLog) -> None:
        self._log, self._job_id = log, new_job_id(0)

    def append(self, job_id: str, batch: Batch) -> int:
        return self._log.append(self._job_id, batch)

    def mark_watched(self, job_id: str, *, expires_at: int) -> int:
        return self._log.mark_watched(self._job_id, expires_at=expires_at)

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        return self._log.read(self._job_id, after=after, consistent=consistent)

    def tail(self, job_id: str) -> LogTail:
        return self._log.tail(self._job_id)

    def progress_of(self, job_ids: Sequence[str]) -> Mapping[str, float]:
        return self._log.progress_of([self._job_id])

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        return self._log.snapshot(self._job_id)

    def compact(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        self._log.compact(self._job_id, snapshot, expires_at=expires_at)

    def renew(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        self._log.renew(self._job_id, snapshot, expires_at=expires_at)

    def erase(self, job_id: str, *, expires_at: int) -> None:
        self._log.erase(self._job_id, expires_at=expires_at)

    def purge(self, job_id: str) -> None:
        self._log.purge(self._job_id)


def test_no_interleaving_breaks_the_log_on_dynamodb(server: AwsServer) -> None:
    # Without shrinking, which would take minutes here; the test in memory shrinks what breaks both.
    run_machine(
        LogMachine,
        make_log=lambda: FreshLog(adapters(server).log),
        examples=12,
        steps=40,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
