"""The ports that keep the images of projects, in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

from shared.apps.video.image_store import (
    MAX_IMAGE_BYTES,
    MOST_IMAGES,
    Image,
    ImageGone,
    ImageStatus,
    NoProject,
    StaleImage,
    TooManyImages,
    UploadForm,
)
from shared.apps.video.project_store import ProjectStore
from shared.clock import Clock
from tests.fakes.clock import SettableClock


class FakeImageStore:
    """Implements ImageStore. Without a `projects`, each project is stored.

    `before_add` and `before_finish` are called before a write: a test can be faster there.
    """

    def __init__(self, projects: ProjectStore | None = None) -> None:
        self._projects = projects
        self.images: dict[tuple[str, str], Image] = {}
        self.before_add: Callable[[], None] = lambda: None
        self.before_finish: Callable[[], None] = lambda: None

    def add(self, image: Image) -> None:
        self.before_add()
        if not self._is_stored(image.project_id):
            raise NoProject
        if sum(project_id == image.project_id for project_id, _ in self.images) >= MOST_IMAGES:
            raise TooManyImages
        self.images[image.project_id, image.id] = image

    def finish(self, image: Image) -> None:
        self.before_finish()
        stored = self.images.get((image.project_id, image.id))
        if stored is None or stored.status is not ImageStatus.PENDING or not self._is_stored(image.project_id):
            raise StaleImage
        self.images[image.project_id, image.id] = image

    def get(self, project_id: str, image_id: str) -> Image | None:
        return self.images.get((project_id, image_id))

    def get_all(self, project_id: str, image_ids: Collection[str]) -> Mapping[str, Image]:
        return {each: image for each in image_ids if (image := self.images.get((project_id, each))) is not None}

    def page(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[Image]:
        own = [image for (project, _), image in self.images.items() if project == project_id]
        newest_first = sorted(own, key=lambda image: image.id, reverse=True)
        return [image for image in newest_first if before is None or image.id < before][:limit]

    def _is_stored(self, project_id: str) -> bool:
        project = None if self._projects is None else self._projects.get(project_id)
        return self._projects is None or (project is not None and not project.deleting)


class FakeImageFiles:
    """Implements ImageFiles. `objects` has everything by its key, as the bucket has."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SettableClock()
        self.objects: dict[str, bytes] = {}

    def send(self, image_id: str, content: bytes) -> None:
        """Upload a file, as a client does with the form of the image."""
        self.objects[f"uploads/{image_id}"] = content

    def upload_form(self, image_id: str, *, size: int, content_type: str) -> UploadForm:
        fields = {"key": f"uploads/{image_id}", "Content-Type": content_type, "size": str(size)}
        return UploadForm("https://bucket.test/", fields, self._clock() + timedelta(minutes=5))

    def upload(self, image_id: str) -> bytes | None:
        content = self.objects.get(f"uploads/{image_id}")
        return None if content is None else content[: MAX_IMAGE_BYTES + 1]

    def discard_upload(self, image_id: str) -> None:
        self.objects.pop(f"uploads/{image_id}", None)

    def keep(self, image: Image, content: bytes) -> None:
        self.objects[_content(image)] = content

    def discard(self, image: Image) -> None:
        self.objects.pop(_content(image), None)

    def read(self, image: Image) -> bytes:
        try:
            return self.objects[_content(image)]
        except KeyError:
            raise ImageGone(_content(image)) from None

    def url(self, image: Image) -> str:
        return f"https://bucket.test/{_content(image)}"


def _content(image: Image) -> str:
    return f"projects/{image.project_id}/images/{image.sha256}"
