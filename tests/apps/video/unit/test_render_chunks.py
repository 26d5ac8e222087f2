"""A video is divided into chunks that begin with a key frame, and its plan says which scene plays at a frame."""

from __future__ import annotations

import pytest

from shared.apps.video.rendering.chunks import GOP, MAX_CHUNKS, Chunk, divide
from shared.apps.video.rendering.plan import MAX_SECONDS, PlannedScene, Quality, RenderPlan
from shared.apps.video.scene import Format

SCENE = "scn_01j00000000000000000000000-{}"


def a_plan(*durations: int, width: int = 1280, height: int = 720, quality: Quality = "standard") -> RenderPlan:
    scenes = tuple(
        PlannedScene(id=SCENE.format(n), version=1, name=f"Scene {n}", code="", duration_in_frames=frames)
        for n, frames in enumerate(durations)
    )
    return RenderPlan(format=Format(width=width, height=height, fps=30), scenes=scenes, quality=quality)


@pytest.mark.parametrize(
    ("frames", "sizes"),
    [
        pytest.param(1, [1], id="one frame"),
        pytest.param(GOP, [60], id="exactly one group"),
        pytest.param(90, [60, 30], id="three seconds"),
        pytest.param(1800, [60] * 30, id="a minute"),
        pytest.param(MAX_CHUNKS * GOP + 1, [120] * 20 + [1], id="more than 40 groups"),
    ],
)
def test_chunks_are_the_frames_in_order(frames: int, sizes: list[int]) -> None:
    chunks = divide(frames)
    assert [chunk.frames for chunk in chunks] == sizes
    assert [chunk.first for chunk in chunks] == [sum(sizes[:index]) for index in range(len(sizes))]
    assert [chunk.index for chunk in chunks] == list(range(len(sizes)))


@pytest.mark.parametrize("frames", [1, 59, 61, 2399, 2401, 18_000, MAX_SECONDS * 60])
def test_every_video_has_at_most_40_chunks_that_begin_with_a_key_frame(frames: int) -> None:
    chunks = divide(frames)
    assert len(chunks) <= MAX_CHUNKS
    assert sum(chunk.frames for chunk in chunks) == frames
    assert all(chunk.first % GOP == 0 for chunk in chunks)


def test_a_video_without_frames_has_no_chunks() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        divide(0)


def test_names_sort_as_the_chunks_play() -> None:
    names = [chunk.name for chunk in divide(2400)]
    assert names == sorted(names)
    assert Chunk(7, 420, 60).name == "chunk-007"


def test_a_frame_of_the_video_is_a_frame_of_one_scene() -> None:
    plan = a_plan(10, 1, 5)
    found = [(scene.name, frame) for scene, frame in map(plan.scene_at, (0, 9, 10, 11, 15))]
    assert found == [("Scene 0", 0), ("Scene 0", 9), ("Scene 1", 0), ("Scene 2", 0), ("Scene 2", 4)]
    assert (plan.frames, plan.seconds) == (16, 16 / 30)
    with pytest.raises(IndexError, match="16 frames"):
        plan.scene_at(16)


@pytest.mark.parametrize(
    ("width", "height", "quality", "size"),
    [
        pytest.param(1280, 720, "standard", (1280, 720), id="as the project"),
        pytest.param(1280, 720, "draft", (640, 360), id="half the size"),
        pytest.param(65, 1919, "high", (64, 1918), id="odd sides lose a pixel"),
        pytest.param(66, 70, "draft", (32, 34), id="half of it is odd"),
    ],
)
def test_both_sides_of_a_video_are_even(width: int, height: int, quality: Quality, size: tuple[int, int]) -> None:
    assert a_plan(30, width=width, height=height, quality=quality).size == size
