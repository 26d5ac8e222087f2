"""Renders in chaos: a completed one has one file with its frames, and no rendered chunk is rendered again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import httpx

from local.stack import ROOT, LocalStack
from local.template.template import Template
from shared.apps.video.ids import render_id
from shared.apps.video.rendering.chunks import divide
from shared.apps.video.rendering.profiles import new_profile, remove_profile
from shared.storage import keys
from tests.api_user import data_of
from tests.apps.video import render_lane
from tests.apps.video.chaos_projects import deleted, path_of
from tests.apps.video.projects_world import a_job_id, put_scene
from tests.apps.video.requests import give_scenes
from tests.browser.mp4 import read_index
from tests.chaos.application import Application, Broken, Subject
from tests.chaos.plan import Cancel, KillAtWrite, KillChild, Moment, Trouble
from tests.chaos.stored_items import stored_items
from tests.chaos.story import JobStory
from tests.patience import PATIENCE

STAGES: Final = ("await_turn", "plan_render", "render_chunk", "join_chunks")
CHUNK: Final = "render_chunk"
FRAMES: Final = (61, 60)
"""Frames of the two scenes. They make three chunks, which end within scenes."""

WIDTH, HEIGHT, FPS = 320, 180, 30
CODE: Final = """
import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";
import { jsx } from "preact/jsx-runtime";
export default () => jsx(AbsoluteFill, { children: jsx("h1", { children: `frame ${useCurrentFrame()}` }) });
"""
_FUNCTIONS: Final = ("AwaitTurnFunction", "PlanRenderFunction", "RenderChunkFunction", "JoinChunksFunction")
_MOST_CALLS: Final = (8, 10, 8, 12)
"""About how many calls of AWS that name the job each function makes."""

_GIVING: Final = threading.Lock()
"""`give_scenes` replaces the storage's client in this process meanwhile."""


# ---- requests --------------------------------------------------------------------------------------------------------


async def _with_scenes(stack: LocalStack, api: httpx.AsyncClient, _page: str) -> dict[str, Any]:
    """Create a project with two scenes, and return the field that links a job to it."""
    body = {"title": "Chaos", "format": {"width": WIDTH, "height": HEIGHT, "fps": FPS}}
    project_id = data_of(await api.post("/projects", json=body), 201)["projectId"]
    await asyncio.to_thread(_give_scenes, stack, project_id)
    return {"links": {"projectId": project_id}}


def _give_scenes(stack: LocalStack, project_id: str) -> None:
    job_id = a_job_id()
    changes = [put_scene(job_id, part, name=f"Part {part}", duration_in_frames=n) for part, n in enumerate(FRAMES)]
    drawn = [
        each.model_copy(update={"build": each.build.model_copy(update={"js_code": CODE})})
        for each in changes
        if each.build is not None
    ]
    with _GIVING:
        give_scenes(stack, project_id, *drawn)


def _request(_page: str, _script: str) -> tuple[str, dict[str, Any]]:
    return "/jobs", {"pipeline": "render", "input": {"quality": "draft"}}


def _also_shown(subject: Subject) -> dict[str, str]:
    path = f"{path_of(subject)}/renders"
    return {"renders": path, "render": f"{path}/{render_id(subject['jobId'])}"}


# ---- what is stored --------------------------------------------------------------------------------------------------


async def _stored(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> dict[str, Any]:
    """Return the index of the render's file, the keys of its objects, and which turns its owner has taken."""
    render = data_of(await api.get(_also_shown(story.subject)["render"]))
    found: dict[str, Any] = {"file": None, "objects": await asyncio.to_thread(_objects, stack, story)}
    if render["downloadUrl"] is not None:
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as bucket:
            content = (await bucket.get(render["downloadUrl"])).raise_for_status().content
        found["file"] = {**asdict(read_index(content)), "bytes": len(content)}
    items = await asyncio.to_thread(stored_items, stack, "DurableTable", keys.user_partition(story.owner))
    turns = [item for item in items if item["SK"]["S"].startswith("RENDERTURN#")]
    found["turns"] = [item["jobId"]["S"] for item in turns if "jobId" in item]
    return found


def _objects(stack: LocalStack, story: JobStory) -> list[str]:
    s3, bucket = stack.client("s3"), Template(ROOT / "template.yaml").buckets[0]
    prefixes = (f"jobs/{story.job_id}/chunks/", f"renders/{story.subject['links']['projectId']}/")
    listing = s3.get_paginator("list_objects_v2")
    return [
        each["Key"]
        for prefix in prefixes
        for page in listing.paginate(Bucket=bucket, Prefix=prefix)
        for each in page.get("Contents", ())
    ]


async def _afterwards(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> list[str]:
    """Return which browsers and folders the job's processes have left, and what a deletion of the project leaves."""
    pids = {str(each["pid"]) for each in story.invocations if each["function"] == CHUNK}
    left = await asyncio.to_thread(_left_by, pids)
    return [*left, *await deleted(stack, api, story)]


def _left_by(pids: set[str]) -> list[str]:
    """Return a complaint for each browser and each folder of these processes; the next render removes folders."""
    remove_profile(new_profile())
    folder = re.compile(rb"millrace-browser-(\d+)-")
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            owner = folder.search(process.read_bytes())
            if owner and owner[1].decode() in pids:
                found.append(f"the browser {process.parent.name} of process {owner[1].decode()} still runs")
    folders = [path for path in Path("/tmp").glob("millrace-browser-*") if path.name.split("-")[2] in pids]
    return [*found, *(f"the folder {path} is left" for path in folders)]


# ---- promises --------------------------------------------------------------------------------------------------------


def _violations(story: JobStory) -> Iterator[str]:
    yield from _of_file(story)
    yield from _of_chunks(story)
    yield from _of_views(story)
    if story.found["turns"]:
        yield f"the jobs {story.found['turns']} still have turns"
    if story.model_calls:
        yield f"a render has asked the model {len(story.model_calls)} times"


def _of_file(story: JobStory) -> Iterator[str]:
    """Check that a completed render has one file with all its frames, and another one none that is shown."""
    video = f"renders/{story.subject['links']['projectId']}/{render_id(story.job_id)}.mp4"
    videos = [key for key in story.found["objects"] if key.startswith("renders/")]
    file = story.found["file"]
    if story.shown["status"] != "completed":
        if file is not None or set(videos) - {video}:
            yield f"the render is {story.shown['status']} and has the file {file}, stored are {videos}"
        return
    frames = sum(FRAMES)
    expected = {"frames": frames, "seconds": frames / FPS, "width": WIDTH // 2, "height": HEIGHT // 2}
    if file is None or {name: file[name] for name in expected} != expected or videos != [video]:
        yield f"the file is {file}, not {expected}; stored are {videos}"
        return
    told = story.shown["result"]["file"]
    if (told["frames"], told["bytes"]) != (frames, file["bytes"]):
        yield f"the result tells of the file {told}, stored is {file}"
    names = [chunk.name for chunk in divide(frames)]
    chunks = [Path(key).stem for key in story.found["objects"] if key not in videos]
    if chunks != names:
        yield f"the files of the chunks are {chunks}, not {names}"


def _of_chunks(story: JobStory) -> Iterator[str]:
    """Check that each watcher is told of each chunk once, and that no chunk with a result is rendered again."""
    planned = {chunk.name: (chunk.first, chunk.frames) for chunk in divide(sum(FRAMES))}
    for watcher in story.watchers:
        told = [each.data for each in watcher.events if each.type == "chunkRendered"]
        count = Counter(each["key"] for each in told)
        if any(n > 1 for n in count.values()) or any(
            planned[each["key"]] != (each["firstFrame"], each["frames"]) for each in told
        ):
            yield f"a watcher was told of the chunks {told}"
        if story.shown["status"] == "completed" and not watcher.has_snapshot and set(count) != set(planned):
            yield f"a watcher was told of the chunks {sorted(count)} only"
    finished: dict[str, int] = {}
    for generation, events in enumerate(story.watchers[0].generations, start=1):
        for event in events:
            if event.type == "item" and event.data["stage"] == CHUNK:
                finished.setdefault(event.data["key"], generation)
    for each in story.invocations:
        if each["function"] == CHUNK:
            part, generation = each["payload"]["part"], each["payload"]["generation"]
            if finished.get(part, generation) < generation:
                yield f"{part} was rendered in generation {finished[part]}, and again in {generation}"


def _of_views(story: JobStory) -> Iterator[str]:
    """Check that the operations show the render as its job has ended."""
    render, renders = story.also["render"], story.also["renders"]
    if render is None or renders is None:
        yield f"the render is not shown: {story.also}"
        return
    code, own = (render["failure"] or {}).get("code"), (story.shown["failure"] or {}).get("code")
    if (render["status"], code) != (story.shown["status"], own):
        yield f"the job is {story.shown['status']} {own}, its render {render['status']} {code}"
    if [each["renderId"] for each in renders["renders"]] != [render_id(story.job_id)]:
        yield f"the project has the renders {renders['renders']}"


def _counted(story: JobStory) -> dict[str, int]:
    """Count what the verdict has compared."""
    return {
        "files of renders": int(story.found["file"] is not None),
        "attempts at chunks": sum(each["function"] == CHUNK for each in story.invocations),
    }


# ---- scenarios -------------------------------------------------------------------------------------------------------

KILLED, BROWSER = "killed in a stage of a render", "browser killed"
STORED = "killed around the file of a chunk"


def _stopped(chance: random.Random) -> Trouble:
    """Kill an attempt at one of its calls of AWS, or cancel the job, in any of the four stages."""
    at = chance.randrange(len(STAGES))
    if chance.random() < 0.4:
        moments = (Moment("stage", at + 1, chance.uniform(0, 0.5)), Moment("item", at + 1, chance.uniform(0, 0.3)))
        return Trouble((Cancel(chance.choice(moments)),))
    executed, skip = chance.random() < 0.5, chance.randrange(_MOST_CALLS[at])
    return Trouble((KillAtWrite(Moment("created"), KILLED, "", (), executed, skip, _FUNCTIONS[at]),))


def _killed_at_its_file(chance: random.Random) -> Trouble:
    """Kill attempts at chunks before or after they have stored the file."""
    killed = [
        KillAtWrite(Moment("created"), STORED, "PUT", (), chance.random() < 0.5, 0, _FUNCTIONS[2])
        for _ in range(chance.randint(1, 2))
    ]
    return Trouble(tuple(killed))


def _browser_killed(chance: random.Random) -> Trouble:
    moments = (Moment("subtask", chance.randint(1, 3), chance.uniform(0, 1)) for _ in range(chance.randint(1, 2)))
    return Trouble(tuple(KillChild(each) for each in moments))


def _fails(_chance: random.Random) -> Trouble:
    """Kill attempts at chunks until one has had all its attempts; then the job is resumed."""
    first = _FUNCTIONS[2]
    return Trouble(tuple(KillAtWrite(Moment("created"), KILLED, "", (), False, 0, first) for _ in range(10)))


SCENARIOS: Final = {
    "stage of a render stopped": _stopped,
    STORED: _killed_at_its_file,
    BROWSER: _browser_killed,
    "chunks killed until the job failed": _fails,
}


# ---- stories that break a promise ------------------------------------------------------------------------------------


def _with_a_frame_less(story: JobStory) -> None:
    story.found["file"]["frames"] -= 1


def _with_two_files(story: JobStory) -> None:
    story.found["objects"].append(f"{story.found['objects'][-1]}.again")


def _without_a_chunk(story: JobStory) -> None:
    del story.found["objects"][0]


def _told_of_a_chunk_twice(story: JobStory) -> None:
    events = story.watchers[0].events
    position, told = next((at, each) for at, each in enumerate(events) if each.type == "chunkRendered")
    events.insert(position, told)


def _with_a_chunk_rendered_after_its_resumption(story: JobStory) -> None:
    again = next(each for each in story.invocations if each["function"] == CHUNK)
    later = {**again, "payload": {**again["payload"], "generation": 2}}
    story.invocations = [*story.invocations, later]


def _with_a_turn_left(story: JobStory) -> None:
    story.found["turns"].append(story.job_id)


def _with_another_status(story: JobStory) -> None:
    render = story.also["render"]
    assert render is not None
    render["status"] = "rendering"


RENDER_APPLICATION: Final = Application(
    pipeline="render",
    share=0.06,
    stages=STAGES,
    request=_request,
    is_whole=lambda text: False,
    violations=_violations,
    broken=(
        Broken(_with_a_frame_less, "the file is"),
        Broken(_with_two_files, "the file is"),
        Broken(_without_a_chunk, "the files of the chunks are"),
        Broken(_told_of_a_chunk_twice, "a watcher was told of the chunks"),
        Broken(_with_a_chunk_rendered_after_its_resumption, "and again in 2"),
        Broken(_with_a_turn_left, "still have turns"),
        Broken(_with_another_status, "its render rendering"),
    ),
    also_shown=_also_shown,
    fan_outs=frozenset({CHUNK}),
    prepare=_with_scenes,
    evidence=_stored,
    afterwards=_afterwards,
    progress=("subtask", 5),
    scenarios=SCENARIOS,
    required=(STORED,),
    counted=_counted,
    missing=render_lane.missing(),
)
