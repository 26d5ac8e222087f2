"""The ports that keep renders, their turns and their files, in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from shared.apps.video.rendering.render import Render
from shared.apps.video.rendering.render_store import FileGone
from shared.apps.video.rendering.turns import Turn
from shared.jobs.store import PreparedWrites
from tests.fakes.projects import FakeProjectStore
from tests.fakes.transactions import FakeWrite


class FakeRenderStore:
    """Implements RenderStore, for the projects of a FakeProjectStore."""

    def __init__(self, projects: FakeProjectStore) -> None:
        self._lock = threading.Lock()
        self._projects = projects
        self._renders: dict[tuple[str, str], str] = {}

    def get(self, project_id: str, render_id: str) -> Render | None:
        with self._lock:
            text = self._renders.get((project_id, render_id))
        return None if text is None else Render.model_validate_json(text)

    def page(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[Render]:
        with self._lock:
            ids = [own for project, own in self._renders if project == project_id]
            older = sorted((each for each in ids if before is None or each < before), reverse=True)
            return [Render.model_validate_json(self._renders[project_id, each]) for each in older[:limit]]

    def prepare_new(self, render: Render) -> PreparedWrites:
        key = (render.project_id, render.id)
        put = FakeWrite(render.id, self._lock, lambda: key not in self._renders, lambda: self._put(render))
        return PreparedWrites((put, *self._projects.prepare_presence(render.project_id).writes))

    def prepare_update(self, render: Render) -> PreparedWrites:
        key = (render.project_id, render.id)
        put = FakeWrite(render.id, self._lock, lambda: key in self._renders, lambda: self._put(render))
        return PreparedWrites((put,))

    def forget(self, project_id: str) -> None:
        """Remove the renders of a project, as the deletion of its partition does."""
        with self._lock:
            self._renders = {key: text for key, text in self._renders.items() if key[0] != project_id}

    def _put(self, render: Render) -> None:
        self._renders[render.project_id, render.id] = render.model_dump_json()


class FakeRenderTurns:
    """Implements RenderTurns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[tuple[str, int], Turn] = {}

    def taken(self, owner: str) -> Sequence[Turn]:
        with self._lock:
            return [turn for (own, _), turn in sorted(self._turns.items()) if own == owner]

    def prepare_taking(self, owner: str, turn: Turn) -> PreparedWrites:
        def fits() -> bool:
            stored = self._turns.get((owner, turn.slot))
            return stored is None or stored.job_id == turn.job_id or stored.until <= turn.since

        def take() -> None:
            self._turns[owner, turn.slot] = turn

        return PreparedWrites((FakeWrite(f"turn {turn.slot} of {owner}", self._lock, fits, take),))

    def prepare_freeing(self, owner: str, turn: Turn) -> PreparedWrites:
        def fits() -> bool:
            stored = self._turns.get((owner, turn.slot))
            return stored is not None and stored.job_id == turn.job_id

        def free() -> None:
            del self._turns[owner, turn.slot]

        return PreparedWrites((FakeWrite(f"turn {turn.slot} of {owner}", self._lock, fits, free),))


class FakeRenderFiles:
    """Implements RenderFiles. `objects` has everything by its key, as the bucket has."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def chunk(self, job_id: str, name: str) -> bytes:
        try:
            return self.objects[f"jobs/{job_id}/chunks/{name}.mp4"]
        except KeyError:
            raise FileGone(name) from None

    def keep_chunk(self, job_id: str, name: str, content: bytes) -> None:
        self.objects[f"jobs/{job_id}/chunks/{name}.mp4"] = content

    def discard_chunks(self, job_id: str) -> None:
        self._discard(f"jobs/{job_id}/chunks/")

    def keep_video(self, render: Render, content: bytes) -> None:
        self.objects[f"renders/{render.project_id}/{render.id}.mp4"] = content

    def discard_video(self, render: Render) -> None:
        self._discard(f"renders/{render.project_id}/{render.id}.mp4")

    def discard_videos(self, project_id: str) -> None:
        self._discard(f"renders/{project_id}/")

    def url(self, render: Render, *, name: str) -> str:
        return f"https://bucket.test/renders/{render.project_id}/{render.id}.mp4?name={name}"

    def _discard(self, prefix: str) -> None:
        self.objects = {key: content for key, content in self.objects.items() if not key.startswith(prefix)}
