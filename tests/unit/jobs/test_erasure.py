"""Delete one job with everything that is stored for it."""

from __future__ import annotations

import pytest

from shared.errors import CheckpointUnfit, Forbidden, NotFound
from shared.jobs.ids import new_job_id
from shared.runs.run import TransformStatus
from tests.fakes.core import FakeCore, ScriptedStage, says
from tests.unit.runs.song_pipeline import break_off, compose, finish, lineage


def test_a_live_job_is_cancelled_and_erased() -> None:
    core = FakeCore()
    job = core.new_job()
    core.run(ScriptedStage("draft", says("a secret", lines=["a secret"])), job)

    core.job_erasure.delete("ada", job.id)

    assert core.executions.stopped == [job.id]
    with pytest.raises(NotFound):
        core.job_queries.view("ada", job.id)
    assert core.log.snapshot(job.id).text == ""  # type: ignore[union-attr]
    assert [entry.event.type for entry in core.log.read(job.id, after=0)] == ["cancelled"]
    assert core.jobs.text_of(job.id) is None


def test_an_expired_job_that_is_still_stored_is_erased() -> None:
    core = FakeCore()
    job = core.new_job()
    core.clock.advance(7201)

    core.job_erasure.delete("ada", job.id)

    assert core.jobs.text_of(job.id) is None


def test_a_deletion_can_be_repeated_until_nothing_is_stored() -> None:
    core = FakeCore()
    job = core.new_job()
    for _ in range(2):
        core.job_erasure.delete("ada", job.id)
    core.job_erasure.purge(job.id)
    assert core.jobs.is_erased(job.id)
    with pytest.raises(NotFound):
        core.job_erasure.delete("ada", job.id)


@pytest.mark.parametrize("job_id", ["job_a" + "0" * 26, "job_1", "", "x" * 300, "run_" + "0" * 26])
def test_a_job_that_is_not_stored_is_not_found(job_id: str) -> None:
    with pytest.raises(NotFound, match="was not found"):
        FakeCore().job_erasure.delete("ada", job_id)


def test_a_job_of_another_user_is_not_deleted_and_an_expired_one_is_not_told_of() -> None:
    core = FakeCore()
    job = core.new_job()
    with pytest.raises(Forbidden):
        core.job_erasure.delete("bob", job.id)
    core.clock.advance(7201)
    with pytest.raises(NotFound):
        core.job_erasure.delete("bob", job.id)
    core.job_erasure.delete("ada", job.id)
    with pytest.raises(NotFound):
        core.job_erasure.delete("bob", job.id)


def test_a_run_keeps_what_its_deleted_job_has_made() -> None:
    core = FakeCore()
    job = core.new_song()
    compose(core, job, "one")
    finish(core, job, "one")
    before = lineage(core, job)

    core.job_erasure.delete("ada", job.id)

    assert lineage(core, job) == before
    assert core.songs.view("ada", str(job.links.run_id)).job is None


def test_a_run_whose_live_job_is_deleted_is_cancelled_and_keeps_what_there_is() -> None:
    core = FakeCore()
    job = core.new_song()
    break_off(core, job, "one")

    core.job_erasure.delete("ada", job.id)

    run = lineage(core, job)
    assert run.run.status is TransformStatus.CANCELLED
    assert [each.content for each in run.artefacts if each.role == "song"] == [{"lines": ["one"]}]
    with pytest.raises((NotFound, CheckpointUnfit)):
        core.job_resumption.resume("ada", job.id, trace_id=None, request_id=None)
    core.songs.delete("ada", str(job.links.run_id))
    assert core.runs.lineage(str(job.links.run_id)) is None


def test_an_archived_job_is_erased_although_nothing_else_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    core, job_id = FakeCore(), new_job_id(0)
    erased: list[tuple[str, str]] = []
    monkeypatch.setattr(core.ports.archive, "get", lambda owner, _: object() if owner == "ada" else None)
    monkeypatch.setattr(core.ports.archive, "erase", lambda *of: erased.append(of))

    with pytest.raises(NotFound):
        core.job_erasure.delete("bob", job_id)
    core.job_erasure.delete("ada", job_id)

    assert erased == [("ada", job_id)]
