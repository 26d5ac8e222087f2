"""What the demo shows of the application `video`: a video from a sentence and an image, what is changed; and a file."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from local.api.client import JobsClient
from local.demo.pipeline import Accepted, Extras, PipelineDemo
from local.demo.screen import ACCENT, BAD, GOOD, MUTED, WARNING, Paragraph, printable
from local.loopback import is_loopback
from shared.apps.video.models import VideoChatResult
from shared.apps.video.pipeline import RENDER, VIDEO_CHAT
from shared.apps.video.rendering.render import RenderResult
from shared.apps.video.rendering.wire import RenderDetail
from shared.apps.video.web import ImageDetail, ImageWithUpload, MessageAccepted, ProjectDetail
from shared.log.events import Complete, OpaqueEvent, Reset, StreamEvent, Tool
from shared.log.transcript import Transcript

MESSAGE: Final = "A 12 second launch video for Tidewater in three scenes, with this logo"
VIDEO: Final = "A 6 second launch video for Tidewater in three scenes"
WITHOUT_MODEL: Final = "Make scene 2 faster"
BROKEN: Final = "Add a scene with our revenue as bars [[code: undefined_name]]"
COLOUR: Final = (14, 165, 233)
"""The colour of the demo's image, in red, green and blue from 0 to 255. The scenes get it from the image."""


def logo(width: int = 96, height: int = 96) -> bytes:
    """Return a PNG of one colour."""
    row = b"\0" + bytes(COLOUR) * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


class ProjectExtras(Extras):
    """Shows each step, changes a scene without a model, lets the model repair its code, and undoes that."""

    def on_acceptance(self, job: Accepted) -> None:
        """Print the project that the job is about."""
        project_id = str(self.client.get(job.job_id).links.project_id)
        self._path = f"/projects/{project_id}"
        self.screen.event("project", f"{project_id}, one image of {len(logo())} bytes uploaded", GOOD)

    def on_event(self, _number: int, event: StreamEvent, _now: Transcript) -> None:
        """Print the decision and the steps of each scene."""
        self._show(event)

    def on_completion(self) -> None:
        self._print_project()
        for message in (WITHOUT_MODEL, BROKEN):
            self._send(message)
        self._undo()

    def _send(self, text: str) -> None:
        self.screen.event("asked", text.partition(" [[")[0], ACCENT)
        began = self.screen.elapsed
        job = self.client.call(MessageAccepted, "POST", f"{self._path}/messages", json={"text": text})
        result = self._followed(job)
        if result is not None:
            what = ", ".join(f"{each.change} “{each.name}”" for each in result.changes)
            how = f"in {self.screen.elapsed - began:.2f} s, decided by {result.source}"
            self.screen.event("done", f"revision {result.revision}: {what}; {how}", GOOD)
        self.screen.label("cost", self.cost_of(job.job_id))

    def _undo(self) -> None:
        project = self.client.call(ProjectDetail, "GET", self._path)
        body = {"revision": project.revision - 1}
        undone = self.client.call(ProjectDetail, "POST", f"{self._path}/revert", json=body)
        said = f"revision {project.revision} is undone by revision {undone.revision}"
        self.screen.event("undo", f"{said}, which has {len(undone.scenes)} scenes", GOOD)

    def _print_project(self) -> None:
        project = self.client.call(ProjectDetail, "GET", self._path)
        for number, scene in enumerate(project.scenes, 1):
            seconds = scene.duration_in_frames / project.format.fps
            self.screen.label(f"scene {number}", f"{scene.name}, {seconds:g} s, version {scene.version}")

    def _followed(self, job: MessageAccepted) -> VideoChatResult | None:
        """Show the steps of a job and return its result; None if it has none."""
        for received in self.client.follow(job.stream_url):
            event = received.event
            if isinstance(event, Reset):
                self.screen.event("repair", event.message, WARNING)
            self._show(event)
            if isinstance(event, Complete) and event.result is not None:
                return VideoChatResult.model_validate(event.result)
        self.screen.event("failed", f"job {job.job_id} has no result", BAD)
        return None

    def _show(self, event: StreamEvent) -> None:
        match event:
            case Tool(status="finished"):
                detail = event.detail
                said = f"{event.name}, {detail.get('confidence', 0):.2f} sure: {detail.get('reason')}"
                self.screen.event("decision", said, GOOD)
            case OpaqueEvent(type="componentStage"):
                self._show_stage(event)
            case OpaqueEvent(type="sceneStatus"):
                told = event.model_dump()
                if told["status"] in {"playable", "saved", "removed"}:
                    self.screen.event(told["status"], f"“{told['name']}”", GOOD)
            case _:
                pass

    def _show_stage(self, event: OpaqueEvent) -> None:
        told = event.model_dump()
        for error in told.get("errors") or ():
            place = f"line {error['line']}, column {error['column']}: " if error.get("line") else ""
            self.screen.event("error", f"{place}{error['message']}", BAD)
        if told["status"] == "finished" and told["stage"] != "upload":
            self.screen.event(told["stage"], f"“{told['name']}” is {told['percent']} % done", MUTED)


class VideoDemo(PipelineDemo):
    """A video from one sentence and an image; then a change without a model, a repaired answer, and an undo."""

    pipeline = VIDEO_CHAT
    name = "video"
    begins_with_job = False
    path = "/projects/{projectId}/messages"
    extras = ProjectExtras

    def __init__(self, directive: str | None = None) -> None:
        self._text = MESSAGE + (f" [[script: {directive}]]" if directive else "")
        self._project_id = self._image_id = ""

    @property
    def summary(self) -> str:
        return f"“{MESSAGE}”; then a change, a repair and an undo"

    @property
    def job_input(self) -> Mapping[str, Any]:
        return {"text": self._text}

    @property
    def body(self) -> Mapping[str, Any]:
        return self.job_input

    def prepare(self, client: JobsClient) -> None:
        """Create a project, and upload the image to it. Raises ClientError."""
        self._project_id = client.call(ProjectDetail, "POST", "/projects", json={"title": "Tidewater"}).project_id
        self._image_id = _uploaded(client, f"/projects/{self._project_id}")

    def create(self, client: JobsClient) -> MessageAccepted:
        """Send the message. Raises ClientError."""
        path = self.path.format(projectId=self._project_id)
        return client.call(MessageAccepted, "POST", path, json={**self.job_input, "imageIds": [self._image_id]})

    def preview(self, text: str) -> list[Paragraph]:
        return [("", Text(printable(line))) for line in text.splitlines()]

    def cards(self, result: Mapping[str, Any]) -> Iterator[RenderableType]:
        answer = VideoChatResult.model_validate(result)
        lines = [answer.reply, "", *(f"{each.change} “{each.name}”, version {each.after}" for each in answer.changes)]
        title = Text(printable(f" revision {answer.revision} "), style=f"bold {ACCENT}")
        text = Text(printable("\n".join(lines)))
        yield Panel(text, title=title, title_align="left", border_style=MUTED, box=box.ROUNDED)


def _uploaded(client: JobsClient, path: str) -> str:
    """Announce the image, send it with the form to the bucket, complete it, and return its id."""
    content = logo()
    body = {"name": "logo.png", "contentType": "image/png", "bytes": len(content)}
    image = client.call(ImageWithUpload, "POST", f"{path}/images", json=body)
    form = image.upload
    with httpx.Client(trust_env=not is_loopback(form.url)) as http:
        files = {"file": ("logo.png", content, "image/png")}
        http.post(form.url, data=dict(form.fields), files=files).raise_for_status()
    client.call(ImageDetail, "POST", f"{path}/images/{image.image_id}/complete")
    return image.image_id


class RenderExtras(Extras):
    """Shows each chunk, and saves the file."""

    _began = 0.0

    def on_acceptance(self, job: Accepted) -> None:
        """Print what is rendered."""
        assert isinstance(job, RenderDetail)  # noqa: S101 - RenderDemo creates it
        self._render = job
        self._began = self.screen.elapsed
        said = f"revision {job.revision}: {job.frames} frames, {job.seconds:g} s at {job.fps} frames per second"
        self.screen.event("render", said, GOOD)

    def on_event(self, _number: int, event: StreamEvent, _now: Transcript) -> None:
        """Print the place in the queue, and each chunk."""
        match event:
            case OpaqueEvent(type="renderQueued"):
                self.screen.event("queued", f"number {event.model_dump()['position']} of those that wait", WARNING)
            case OpaqueEvent(type="fontsNeeded"):
                self.screen.event("fonts", f"needed: {', '.join(event.model_dump()['packages'])}", WARNING)
            case OpaqueEvent(type="chunkRendered"):
                told = event.model_dump()
                said = f"chunk {told['chunk']} of {told['of']}: {told['frames']} frames in {told['milliseconds']} ms"
                self.screen.event("chunk", said, MUTED)
            case _:
                pass

    def on_completion(self) -> None:
        """Save the file, and print what it has and what it cost."""
        path = f"/projects/{self._render.project_id}/renders/{self._render.render_id}"
        render = self.client.call(RenderDetail, "GET", path)
        url = str(render.download_url)
        with httpx.Client(trust_env=not is_loopback(url)) as http:
            content = http.get(url).raise_for_status().content
        file = Path(tempfile.mkdtemp(prefix="millrace-")) / "tidewater.mp4"
        file.write_bytes(content)
        took = self.screen.elapsed - self._began
        said = f"{render.width} x {render.height}, {render.frames} frames, {render.seconds:g} s, {len(content):,} bytes"
        self.screen.event("file", f"{file}: {said}; rendered in {took:.1f} s", GOOD)
        self.screen.label("cost", self.cost_of(render.job_id))


class RenderDemo(PipelineDemo):
    """A project of three scenes, rendered to an MP4 file in chunks."""

    pipeline = RENDER
    begins_with_job = False
    path = "/projects/{projectId}/renders"
    extras = RenderExtras

    def __init__(self, directive: str | None = None) -> None:
        self._text = VIDEO + (f" [[script: {directive}]]" if directive else "")
        self._project_id = ""

    @property
    def summary(self) -> str:
        return f"“{VIDEO}”, rendered to a file"

    @property
    def job_input(self) -> Mapping[str, Any]:
        return {"quality": "draft"}

    @property
    def body(self) -> Mapping[str, Any]:
        return self.job_input

    def prepare(self, client: JobsClient) -> None:
        """Create a project, and let video chat fill it with scenes. Raises ClientError."""
        project = client.call(ProjectDetail, "POST", "/projects", json={"title": "Tidewater"})
        path = f"/projects/{project.project_id}/messages"
        job = client.call(MessageAccepted, "POST", path, json={"text": self._text})
        for _ in client.follow(job.stream_url):
            pass  # until the scenes are saved, or the job has failed: then there is nothing to render, as the API says
        self._project_id = project.project_id

    def create(self, client: JobsClient) -> RenderDetail:
        """Render the project. Raises ClientError."""
        path = self.path.format(projectId=self._project_id)
        return client.call(RenderDetail, "POST", path, json=self.job_input)

    def preview(self, text: str) -> list[Paragraph]:
        return [("", Text(printable(text)))]

    def cards(self, result: Mapping[str, Any]) -> Iterator[RenderableType]:
        done = RenderResult.model_validate(result)
        text = Text(f"{done.chunks} chunks, {done.file.frames} frames, {done.render_seconds:.1f} s of rendering")
        title = Text(f" revision {done.revision} ", style=f"bold {ACCENT}")
        yield Panel(text, title=title, title_align="left", border_style=MUTED, box=box.ROUNDED)


DEMOS: Final = (VideoDemo, RenderDemo)
