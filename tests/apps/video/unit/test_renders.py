"""Renders on fakes: turns, plans, chunks, joins, and what an owner sees of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from shared.apps.video.image_store import Image, ImageStatus
from shared.apps.video.rendering.plan import MAX_SECONDS
from shared.apps.video.rendering.render import KEPT_DAYS, PlannedRender, RenderResult
from shared.apps.video.rendering.renders import RenderState
from shared.apps.video.rendering.turns import SLOTS, Turn
from shared.apps.video.scene import MAX_FRAMES, Format
from shared.errors import (
    Conflict,
    DataLost,
    Forbidden,
    InvalidInput,
    JobEnded,
    NotFound,
    RendererMissing,
    SceneBroken,
    StageUnfinished,
    StorageUnavailable,
)
from shared.jobs.job import JobStatus
from shared.log.events import Subtask
from tests.apps.video.fake_renderer import FakeRenderer
from tests.apps.video.projects_world import stored_project
from tests.apps.video.render_world import NAMES, OWNER, RenderWorld
from tests.fakes.clock import NOON
from tests.fakes.png import png_of


def issues(refused: pytest.ExceptionInfo[InvalidInput]) -> list[tuple[str, str]]:
    return [(each.field, each.rule) for each in refused.value.issues]


class TestAWholeRender:
    def test_a_project_becomes_one_file_with_every_frame_once(self) -> None:
        world = RenderWorld()
        render = world.finish(world.create())
        content = world.files.objects[f"renders/{world.project.id}/{render.id}.mp4"].decode()
        assert content.splitlines() == [f"{name} {frame} {{}}" for name in NAMES for frame in range(90)]
        assert render.file is not None
        assert (render.status, render.file.frames, render.file.seconds) == ("completed", 270, 9.0)
        assert (render.file.width, render.file.height) == (1280, 720)

    def test_its_job_has_the_result(self) -> None:
        world = RenderWorld()
        state = world.create(quality="draft")
        world.finish(state)
        view = world.core.job_queries.view(OWNER, state.render.job_id)
        result = RenderResult.model_validate(view.result)
        assert (result.chunks, result.render_seconds, result.file.width) == (5, 2.5, 640)

    def test_what_is_changed_after_its_creation_is_not_in_it(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.add_scenes(world.project, "Later")
        render = world.finish(state)
        assert render.file is not None
        assert (render.revision, render.file.frames) == (2, 270)

    def test_an_earlier_revision_can_be_rendered(self) -> None:
        world = RenderWorld()
        later = world.add_scenes(world.project, "Later")
        assert world.create(later, revision=2).render.frames == 270
        assert world.create(later).render.frames == 360

    def test_its_file_can_be_saved_until_it_expires(self) -> None:
        world = RenderWorld()
        state = world.create()
        assert world.now(state).url is None
        render = world.finish(state)
        assert str(world.now(state).url).endswith(f"{render.id}.mp4?name={world.project.title}.mp4")
        assert render.expires_at == world.clock() + timedelta(days=KEPT_DAYS)
        world.clock.advance(KEPT_DAYS * 86_400)
        assert world.now(state).url is None

    def test_the_images_that_scenes_show_are_frozen_with_their_keys(self) -> None:
        world = RenderWorld()
        content = png_of(255, 0, 0)
        image = Image(
            id="img_01k0000000000000000000000c",
            project_id=world.project.id,
            status=ImageStatus.READY,
            name="logo.png",
            type="image/png",
            bytes=len(content),
            sha256="0" * 64,
            created_at=NOON,
            form_expires_at=NOON,
        )
        world.images.add(image)
        world.image_files.keep(image, content)
        state = world.create(world.add_scenes(world.project, "Logo", images=(image.id,)))
        world.finish(state)
        job = world.job(state)
        output = world.core.checkpoints.get(job.id, "plan_render", job.checkpoints["plan_render"]).output
        planned = PlannedRender.model_validate({name: each for name, each in output.items() if name != "parts"})
        assert [each.sha256 for each in planned.images] == ["0" * 64]

    def test_a_scene_whose_image_is_gone_fails_with_its_name(self) -> None:
        world = RenderWorld()
        state = world.create(world.add_scenes(world.project, "Logo", images=("img_01k0000000000000000000000c",)))
        world.await_turn(state)
        with pytest.raises(DataLost, match="scene “Logo” shows the image img_01k0"):
            world.plan(state)


class TestWhatIsRefused:
    def test_a_project_without_scenes(self) -> None:
        world = RenderWorld()
        with pytest.raises(InvalidInput) as refused:
            world.create(stored_project(world.projects))
        assert issues(refused) == [
            ("revision", "must be a revision with scenes; revision 1 has none: add a scene first")
        ]

    def test_more_than_ten_minutes(self) -> None:
        world = RenderWorld()
        scenes = MAX_SECONDS * 30 // MAX_FRAMES
        longest = world.new_project(*(f"S{each}" for each in range(scenes)), duration_in_frames=MAX_FRAMES)
        assert world.create(longest).render.frames == MAX_SECONDS * 30
        with pytest.raises(InvalidInput) as refused:
            world.create(world.add_scenes(longest, "Minute", duration_in_frames=1800))
        ((field, rule),) = issues(refused)
        assert field == "revision"
        assert rule.startswith(
            "must be a revision of at most 10 minutes; revision 3 has 660.0 seconds, which are 60.0 too"
        )

    @pytest.mark.parametrize("revision", [3, 999_999_999])
    def test_a_revision_that_the_project_does_not_have(self, revision: int) -> None:
        world = RenderWorld()
        with pytest.raises(InvalidInput) as refused:
            world.create(revision=revision)
        assert issues(refused) == [("revision", "must be a revision of the project, from 1 to 2")]

    def test_a_project_of_somebody_else_and_one_that_is_deleted(self) -> None:
        world = RenderWorld()
        with pytest.raises(Forbidden):
            world.create(owner="bob")
        world.deletion.delete(OWNER, world.project.id)
        with pytest.raises(NotFound):
            world.create()

    def test_a_machine_that_cannot_render_says_what_is_missing(self) -> None:
        world = RenderWorld(renderer=FakeRenderer(missing="Chromium"))
        with pytest.raises(RendererMissing, match="Chromium is missing"):
            world.create()
        assert world.turns.taken(OWNER) == []

    def test_a_render_that_the_project_does_not_have(self) -> None:
        world = RenderWorld()
        state = world.create()
        other = world.new_project("Other")
        for wanted in ("rnd_01k0000000000000000000000c", "nonsense", state.render.id):
            with pytest.raises(NotFound, match="the project has no render"):
                world.queries.get(OWNER, other.id, wanted)
        with pytest.raises(Forbidden):
            world.queries.get("bob", world.project.id, state.render.id)

    @pytest.mark.parametrize("size", [(65, 101), (1919, 1079)])
    def test_odd_sizes_lose_a_row_and_a_column(self, size: tuple[int, int]) -> None:
        world = RenderWorld()
        odd = stored_project(world.projects, format=Format(width=size[0], height=size[1], fps=59))
        render = world.finish(world.create(world.add_scenes(odd, "One")))
        assert render.file is not None
        assert (render.file.width, render.file.height) == (size[0] - 1, size[1] - 1)


class TestTurns:
    def test_two_renders_run_and_the_third_is_queued(self) -> None:
        world = RenderWorld()
        first, second, third, fourth = (world.create() for _ in range(4))
        assert [each.position for each in (first, second, third, fourth)] == [0, 0, 1, 2]
        world.await_turn(first)
        world.await_turn(second)
        with pytest.raises(StageUnfinished):
            world.await_turn(third)
        assert world.events(third, "renderQueued") == [{"key": "queue", "position": 1}]

    def test_others_do_not_wait_for_my_renders(self) -> None:
        world = RenderWorld()
        for _ in range(3):
            world.create()
        theirs = world.new_project("Theirs", owner="bob")
        assert world.create(theirs, owner="bob").position == 0

    def test_the_next_one_runs_when_one_has_ended(self) -> None:
        world = RenderWorld()
        first, _, third, fourth = (world.create() for _ in range(4))
        world.finish(first)
        assert [world.now(each).position for each in (third, fourth)] == [0, 1]
        world.await_turn(third)

    def test_a_position_is_told_once_and_when_it_changes(self) -> None:
        world = RenderWorld()
        first, second, _, fourth = (world.create() for _ in range(4))

        def end(state: RenderState) -> Callable[[], object]:
            return lambda: world.core.job_cancellation.cancel(OWNER, state.render.job_id)

        world.await_turn(fourth, meanwhile=[world.create, end(first), world.create, end(second)])
        assert [each["position"] for each in world.events(fourth, "renderQueued")] == [2, 1]

    def test_a_failed_and_a_cancelled_render_free_their_turns(self) -> None:
        world = RenderWorld()
        first, second, third, fourth = (world.create() for _ in range(4))
        world.core.record_failure(world.job(first), "SceneBroken")
        world.core.job_cancellation.cancel(OWNER, second.render.job_id)
        assert [world.now(each).position for each in (third, fourth)] == [0, 0]
        assert [world.now(each).render.status for each in (first, second)] == ["failed", "cancelled"]

    def test_a_queued_render_that_is_cancelled_stops_waiting(self) -> None:
        world = RenderWorld()
        queued = [world.create() for _ in range(3)][2]
        world.core.job_cancellation.cancel(OWNER, queued.render.job_id)
        with pytest.raises(JobEnded):
            world.await_turn(queued)
        assert world.now(queued).position == 0

    def test_the_queue_has_a_bound_that_is_said(self) -> None:
        world = RenderWorld()
        renders = [world.create() for _ in range(SLOTS)]
        assert renders[-1].position == SLOTS - 2
        with pytest.raises(Conflict, match="you have 10 renders that have not ended, which is the most: 2 run"):
            world.create()
        world.core.job_cancellation.cancel(OWNER, renders[4].render.job_id)
        assert world.create().position == SLOTS - 2

    def test_a_resumed_render_waits_for_its_turn_again(self) -> None:
        world = RenderWorld()
        first, second, third = (world.create() for _ in range(3))
        world.await_turn(first)
        world.core.record_failure(world.job(first), "SceneBroken")
        assert world.now(third).position == 0
        world.clock.advance(1)
        world.core.job_resumption.resume(OWNER, first.render.job_id)
        assert world.now(first).position == 1
        with pytest.raises(StageUnfinished):
            world.await_turn(first, generation=2)
        world.finish(second)
        world.await_turn(first, generation=2, retry=1)

    def test_a_resumption_is_refused_while_all_slots_are_taken(self) -> None:
        world = RenderWorld()
        first = world.create()
        world.core.record_failure(world.job(first), "SceneBroken")
        for _ in range(SLOTS):
            world.create()
        with pytest.raises(Conflict, match="Cancel one, or wait until one has ended"):
            world.core.job_resumption.resume(OWNER, first.render.job_id)
        assert world.job(first).status is JobStatus.FAILED

    def test_a_turn_whose_job_is_gone_ends_by_itself(self) -> None:
        world = RenderWorld()
        for slot in range(SLOTS):
            lost = Turn(slot=slot, job_id=f"job_{slot}", since=NOON, until=NOON + timedelta(hours=1))
            for write in world.turns.prepare_taking(OWNER, lost).writes:
                write.write()
        with pytest.raises(Conflict):
            world.create()
        world.clock.advance(3600)
        assert world.create().position == 0

    def test_the_same_request_again_is_the_same_render(self) -> None:
        world = RenderWorld()
        first = world.create(key="again")
        assert world.create(key="again").render.id == first.render.id
        assert len(world.turns.taken(OWNER)) == 1
        with pytest.raises(InvalidInput):
            world.create(key="again", quality="draft")


class TestFonts:
    """Which fonts a video needs is told when it is planned; which are missing, in its result."""

    def test_packages_for_chinese_and_emoji_are_named_before_a_chunk_is_rendered(self) -> None:
        world = RenderWorld()
        state = world.create(world.new_project("Title", js_code="'\u00a9 \u00e9 \u65e5\u672c \U0001f389'"))
        world.finish(state)
        (told,) = world.events(state, "fontsNeeded")
        assert told == {"key": "fonts", "packages": ["fonts-noto-cjk", "fonts-noto-color-emoji"]}

    def test_nothing_is_told_of_a_video_that_inter_can_show(self) -> None:
        world = RenderWorld()
        state = world.create(world.new_project("Title", js_code="'\u00a9 \u00e9 \u0416 \u03a9 \u2713'"))
        world.finish(state)
        assert world.events(state, "fontsNeeded") == []

    def test_the_result_names_what_was_missing_in_any_chunk(self) -> None:
        world = RenderWorld(renderer=FakeRenderer(missing_fonts=("fonts-noto-cjk",)))
        state = world.create()
        world.finish(state)
        result = RenderResult.model_validate(world.core.job_queries.view(OWNER, state.render.job_id).result)
        assert result.missing_fonts == ("fonts-noto-cjk",)


class TestChunks:
    def test_each_is_told_once_with_its_frames(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.finish(state)
        told = world.events(state, "chunkRendered")
        assert [(each["chunk"], each["of"], each["firstFrame"], each["frames"]) for each in told] == [
            (1, 5, 0, 60),
            (2, 5, 60, 60),
            (3, 5, 120, 60),
            (4, 5, 180, 60),
            (5, 5, 240, 30),
        ]
        titles = {each.key: each.title for each in world.core.events(world.job(state)) if isinstance(each, Subtask)}
        assert titles["chunk-004"] == "Frames 241 to 270"

    def test_the_progress_and_the_chunks_are_seen_while_they_are_rendered(self) -> None:
        world = RenderWorld()
        state = world.create()
        assert (world.now(state).chunks, world.now(state).chunks_rendered) == (None, 0)
        world.await_turn(state)
        for name in world.plan(state)[:2]:
            world.render_chunk(state, name)
        seen = world.now(state)
        assert (seen.chunks, seen.chunks_rendered, seen.progress) == (5, 2, 30.0)

    def test_one_whose_file_is_stored_is_not_rendered_again(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.await_turn(state)
        first = world.plan(state)[0]
        world.render_chunk(state, first)
        content = world.files.chunk(state.render.job_id, first)
        lost = world.create()
        world.await_turn(lost)
        world.plan(lost)
        world.files.keep_chunk(lost.render.job_id, first, content)  # stored by an attempt that died then
        world.render_chunk(lost, first, retry=1)
        assert world.renderer.rendered == [0]
        (before,), (after,) = (world.events(each, "chunkRendered") for each in (state, lost))
        assert (before["milliseconds"], after["milliseconds"]) == (500, 0)

    def test_one_that_dies_is_rendered_again_alone(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.await_turn(state)
        names = world.plan(state)
        world.render_chunk(state, names[0])

        def dies(_: object) -> None:
            raise StorageUnavailable("the browser died")

        world.renderer.before = dies
        with pytest.raises(StorageUnavailable):
            world.render_chunk(state, names[1])
        world.renderer.before = lambda _: None
        world.render_chunk(state, names[1], retry=1)
        assert world.renderer.rendered == [0, 1]
        assert len(world.events(state, "chunkRendered")) == 2

    def test_a_scene_that_throws_at_one_frame_fails_with_its_name_and_the_frame(self) -> None:
        world = RenderWorld()
        state = world.create(world.add_scenes(world.project, "Broken", js_code="throw at 41\n"))
        world.await_turn(state)
        names = world.plan(state)
        broken = names[(270 + 41) // 60]
        for name in names:
            if name != broken:
                world.render_chunk(state, name)
        with pytest.raises(SceneBroken, match="scene “Broken” throws at frame 41"):
            world.render_chunk(state, broken)
        world.core.record_failure(world.job(state), "SceneBroken")
        failure = world.now(state).render.failure
        assert failure is not None
        assert (failure.code, failure.retryable, failure.stage) == ("SCENE_BROKEN", False, "render_chunk")
        assert failure.message.startswith(f"part {broken}: scene “Broken” throws at frame 41")

    def test_a_resumed_render_renders_only_what_is_missing(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.await_turn(state)
        names = world.plan(state)
        for name in names:
            if name != names[3]:
                world.render_chunk(state, name)
        world.core.record_failure(world.job(state), "StorageUnavailable")
        world.core.job_resumption.resume(OWNER, state.render.job_id)
        assert world.now(state).render.status == "running"
        assert world.plan_again(state) == (names[3],)
        world.render_chunk(state, names[3], generation=2)
        world.join(state, generation=2)
        world.core.complete(world.job(state), generation=2)
        assert world.renderer.rendered == [0, 1, 2, 4, 3]
        assert world.now(state).render.status == "completed"
        assert len(world.events(state, "chunkRendered")) == 5


class TestJoining:
    def test_a_chunk_whose_file_is_gone_fails_the_render(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.await_turn(state)
        for name in world.plan(state):
            world.render_chunk(state, name)
        world.files.discard_chunks(state.render.job_id)
        with pytest.raises(DataLost, match="chunk-000 of the video is no longer stored; render it again"):
            world.join(state)

    def test_a_project_that_is_deleted_meanwhile_leaves_no_file(self) -> None:
        world = RenderWorld()
        state = world.create()
        world.await_turn(state)
        for name in world.plan(state):
            world.render_chunk(state, name)
        keep = world.files.keep_video

        def deleted_meanwhile(*given: Any) -> None:
            keep(*given)
            world.renders.forget(world.project.id)

        with (
            patch.object(world.files, "keep_video", deleted_meanwhile),
            pytest.raises(DataLost, match="the project was deleted"),
        ):
            world.join(state)
        assert not [key for key in world.files.objects if key.startswith("renders/")]


class TestDeletion:
    def test_a_deleted_project_leaves_no_job_no_chunk_and_no_video(self) -> None:
        world = RenderWorld()
        finished, running = world.create(), world.create()
        world.finish(finished)
        world.await_turn(running)
        world.render_chunk(running, world.plan(running)[0])
        world.deletion.delete(OWNER, world.project.id)
        assert world.files.objects == {}
        assert world.turns.taken(OWNER) == []
        assert world.core.jobs.get(running.render.job_id) is None


class TestLists:
    def test_renders_are_listed_newest_first_in_pages(self) -> None:
        world = RenderWorld()
        ids = [world.create().render.id for _ in range(3)][::-1]
        page, cursor = world.queries.page(OWNER, world.project.id, limit=2, cursor=None)
        assert [each.render.id for each in page] == ids[:2]
        assert [each.position for each in page] == [1, 0]
        rest, end = world.queries.page(OWNER, world.project.id, limit=2, cursor=cursor)
        assert ([each.render.id for each in rest], end) == (ids[2:], None)

    def test_a_wrong_cursor_is_refused(self) -> None:
        world = RenderWorld()
        with pytest.raises(InvalidInput):
            world.queries.page(OWNER, world.project.id, limit=2, cursor="nonsense")
