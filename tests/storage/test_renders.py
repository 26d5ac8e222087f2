"""RenderStore, RenderTurns and RenderFiles, in memory, in DynamoDB and on S3."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.apps.video.ids import render_id
from shared.apps.video.project import Project
from shared.apps.video.rendering.render import Render
from shared.apps.video.rendering.render_store import FileGone
from shared.apps.video.rendering.turns import Turn
from shared.jobs.ids import new_job_id
from shared.jobs.store import PreparedWrites, SideWriteConflict
from tests.apps.video.projects_world import stored_project
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.storage.ports import Ports

JOB = new_job_id(1)


def render_of(project: Project, milliseconds: int = 1) -> Render:
    job_id = new_job_id(milliseconds)
    return Render(
        id=render_id(job_id),
        project_id=project.id,
        owner=project.owner,
        job_id=job_id,
        revision=2,
        quality="high",
        frames=90,
        fps=30,
        created_at=NOON,
    )


def write(ports: Ports, prepared: PreparedWrites) -> None:
    """Make the writes in the transaction of a job, as the product does."""
    ports.jobs.put_new(a_job(new_job_id(1)), side_writes=prepared)


def turn_of(slot: int, job_id: str = JOB, *, since: int = 0) -> Turn:
    start = NOON + timedelta(seconds=since)
    return Turn(slot=slot, job_id=job_id, since=start, until=start + timedelta(seconds=60))


def test_a_render_is_stored_once_and_updated(ports: Ports) -> None:
    render = render_of(stored_project(ports.projects))
    assert ports.renders.get(render.project_id, render.id) is None
    with pytest.raises(SideWriteConflict):
        write(ports, ports.renders.prepare_update(render))
    write(ports, ports.renders.prepare_new(render))
    assert ports.renders.get(render.project_id, render.id) == render
    with pytest.raises(SideWriteConflict):
        write(ports, ports.renders.prepare_new(render))
    failed = render.model_copy(update={"status": "failed"})
    write(ports, ports.renders.prepare_update(failed))
    assert ports.renders.get(render.project_id, render.id) == failed


def test_a_project_that_is_being_deleted_takes_no_render(ports: Ports) -> None:
    project = stored_project(ports.projects)
    ports.projects.hide(project)
    with pytest.raises(SideWriteConflict):
        write(ports, ports.renders.prepare_new(render_of(project)))


def test_a_page_has_the_newest_renders(ports: Ports) -> None:
    project = stored_project(ports.projects)
    made = [render_of(project, milliseconds) for milliseconds in range(1, 6)]
    for render in made:
        write(ports, ports.renders.prepare_new(render))
    newest_first = made[::-1]
    assert ports.renders.page(project.id, limit=2) == newest_first[:2]
    assert ports.renders.page(project.id, limit=2, before=newest_first[1].id) == newest_first[2:4]
    assert ports.renders.page(project.id, limit=9, before=newest_first[3].id) == newest_first[4:]
    assert ports.renders.page(f"not {project.id}", limit=9) == []


def test_a_slot_is_taken_by_one_render_and_freed_by_it(ports: Ports, owner: str) -> None:
    mine, other = turn_of(3), turn_of(3, new_job_id(2))
    write(ports, ports.render_turns.prepare_taking(owner, mine))
    assert ports.render_turns.taken(owner) == [mine]
    for refused in (
        ports.render_turns.prepare_taking(owner, other),
        ports.render_turns.prepare_freeing(owner, other),
        ports.render_turns.prepare_freeing(owner, turn_of(4)),
    ):
        with pytest.raises(SideWriteConflict):
            write(ports, refused)
    write(ports, ports.render_turns.prepare_taking(owner, turn_of(5, new_job_id(3))))
    assert len(ports.render_turns.taken(owner)) == 2
    assert ports.render_turns.taken(f"not {owner}") == []
    write(ports, ports.render_turns.prepare_freeing(owner, mine))
    write(ports, ports.render_turns.prepare_taking(owner, other))
    assert other in ports.render_turns.taken(owner)


def test_a_slot_whose_time_is_over_can_be_taken(ports: Ports, owner: str) -> None:
    write(ports, ports.render_turns.prepare_taking(owner, turn_of(0)))
    with pytest.raises(SideWriteConflict):
        write(ports, ports.render_turns.prepare_taking(owner, turn_of(0, new_job_id(2), since=59)))
    later = turn_of(0, new_job_id(2), since=60)
    write(ports, ports.render_turns.prepare_taking(owner, later))
    assert ports.render_turns.taken(owner) == [later]


def test_the_files_of_chunks_and_videos_are_kept_and_discarded(ports: Ports) -> None:
    render = render_of(stored_project(ports.projects))
    files = ports.render_files
    with pytest.raises(FileGone):
        files.chunk(render.job_id, "chunk-000")
    files.keep_chunk(render.job_id, "chunk-000", b"\0mp4")
    assert files.chunk(render.job_id, "chunk-000") == b"\0mp4"
    files.discard_chunks(render.job_id)
    with pytest.raises(FileGone):
        files.chunk(render.job_id, "chunk-000")
    files.keep_video(render, b"mp4")
    assert f"renders/{render.project_id}/{render.id}.mp4" in files.url(render, name="Launch.mp4")
    files.discard_video(render)
    files.discard_videos(render.project_id)
