"""Take images into a project: announce, upload, check by content; and read them for the model, scenes and pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.apps.video.ids import IMAGE_ID, new_image_id
from shared.apps.video.image_store import (
    MAX_IMAGE_BYTES,
    MOST_IMAGES,
    Image,
    ImageFiles,
    ImageGone,
    ImageStatus,
    ImageStore,
    NoProject,
    StaleImage,
    TooManyImages,
    UploadForm,
)
from shared.apps.video.picture import NotAPicture, Picture, PictureType, read_picture
from shared.apps.video.queries import unknown_project
from shared.clock import Clock
from shared.errors import Conflict, DataLost, ErrorCode, FieldIssue, InvalidInput, NotFound

PAGE = 100
"""How many images are read at once."""

FIELD = "image"
"""The field that a refusal of an uploaded image names."""

RequireOwned = Callable[[str, str], object]
"""Raise NotFound or Forbidden unless this user, the first argument, has this project, the second."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image that a client is going to upload; its fields are valid. `sha256` is in hexadecimal digits."""

    name: str
    type: PictureType
    bytes: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ImageContent:
    """A ready image with its bytes."""

    image: Image
    content: bytes


class Images:
    """The images of projects. `owner` is the authenticated user, who must have the project."""

    def __init__(self, *, store: ImageStore, files: ImageFiles, require_owned: RequireOwned, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._require_owned = require_owned
        self._clock = clock

    def create(self, owner: str, project_id: str, new: NewImage) -> tuple[Image, UploadForm]:
        """Store a pending image, and return it with the form that uploads it.

        Raises:
            NotFound, Forbidden: the owner has no such project.
            Conflict: the project has too many images.
        """
        self._require_owned(owner, project_id)
        now = self._clock()
        image_id = new_image_id(int(now.timestamp() * 1000))
        form = self._files.upload_form(image_id, size=new.bytes, content_type=new.type)
        image = Image(
            id=image_id,
            project_id=project_id,
            name=new.name,
            type=new.type,
            bytes=new.bytes,
            sha256=new.sha256,
            created_at=now,
            form_expires_at=form.expires_at,
        )
        try:
            self._store.add(image)
        except NoProject:  # it was deleted meanwhile
            raise unknown_project(project_id) from None
        except TooManyImages:
            rule = f"the project has {MOST_IMAGES} images, which is the most; use one of them, or another project"
            raise Conflict(rule) from None
        return image, form

    def complete(self, owner: str, project_id: str, image_id: str) -> Image:
        """Check what was uploaded, and return the image, which is ready. A repeat has the same result.

        Raises:
            NotFound, Forbidden: the owner has no such project, or the project no such image.
            Conflict: nothing was uploaded yet.
            InvalidInput: what was uploaded is no image that a project takes; its code is IMAGE_REFUSED.
        """
        image = self.get(owner, project_id, image_id)
        if image.status is ImageStatus.PENDING:
            image = self._finish(image)
        if image.status is ImageStatus.REFUSED:
            raise InvalidInput([FieldIssue(FIELD, image.refusal or "")], code=ErrorCode.IMAGE_REFUSED)
        return image

    def get(self, owner: str, project_id: str, image_id: str) -> Image:
        """Return an image. Raises NotFound or Forbidden if the owner has no such project, or the project no image."""
        self._require_owned(owner, project_id)
        image = self._store.get(project_id, image_id) if IMAGE_ID.fullmatch(image_id) else None
        if image is None:
            raise NotFound(f"the project has no image {image_id}")
        return image

    def page(
        self, owner: str, project_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Image], str | None]:
        """Return a page of the project's images, newest first, and the cursor of the next page.

        Raises NotFound or Forbidden if the owner has no such project, and InvalidInput for an invalid cursor.
        """
        self._require_owned(owner, project_id)
        if cursor is not None and not IMAGE_ID.fullmatch(cursor):
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")])
        found = self._store.page(project_id, limit=limit + 1, before=cursor)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def url(self, image: Image) -> str | None:
        """Return a URL from which the image can be read for a few minutes; None if it is not ready."""
        return self._files.url(image) if image.status is ImageStatus.READY else None

    def _finish(self, image: Image) -> Image:
        content = self._files.upload(image.id)
        if content is None:
            # Another request may have completed it meanwhile, and deleted the upload.
            return self._finished_by_another(image)
        finished = _judged(image, content)
        ready = finished.status is ImageStatus.READY
        if ready:
            self._files.keep(finished, content)
        try:
            self._store.finish(finished)
        except StaleImage:
            return self._settled(finished)
        self._files.discard_upload(image.id)
        return finished

    def _settled(self, finished: Image) -> Image:
        """Return the image as another request has finished it. Raises NotFound if the project was deleted meanwhile."""
        stored = self._store.get(finished.project_id, finished.id)
        if stored is None or stored.status is ImageStatus.PENDING:
            if finished.status is ImageStatus.READY:
                self._files.discard(finished)
            raise NotFound(f"the project has no image {finished.id}")
        return stored

    def _finished_by_another(self, image: Image) -> Image:
        stored = self._store.get(image.project_id, image.id)
        if stored is not None and stored.status is not ImageStatus.PENDING:
            return stored
        if self._clock() >= image.form_expires_at:
            raise Conflict("nothing was uploaded, and the upload form has expired; create another image")
        raise Conflict("nothing was uploaded yet; send the file with the upload form, then complete the image")


class ImageReader:
    """Read the images of a project for a chat and for its scenes; the caller has checked who owns the project."""

    def __init__(self, store: ImageStore, files: ImageFiles) -> None:
        self._store = store
        self._files = files

    def ready(self, project_id: str, image_ids: Sequence[str], *, field: str = "imageIds") -> Sequence[Image]:
        """Return these images of the project, in this order.

        Raises InvalidInput, which names each element of `field` that is not the id of a ready image of this project.
        """
        asked = [each for each in image_ids if IMAGE_ID.fullmatch(each)]
        found = self._store.get_all(project_id, asked) if asked else {}
        issues = [
            FieldIssue(f"{field}.{index}", rule)
            for index, image_id in enumerate(image_ids)
            if (rule := _unusable(found.get(image_id))) is not None
        ]
        if issues:
            raise InvalidInput(issues)
        return [found[each] for each in image_ids]

    def read(self, image: Image) -> ImageContent:
        """Return a ready image with its bytes. Raises DataLost if they are not stored any more."""
        try:
            return ImageContent(image, self._files.read(image))
        except ImageGone:
            raise DataLost(f"the image “{image.name}” is no longer stored; upload it again") from None


def _unusable(image: Image | None) -> str | None:
    if image is None:
        return "must be the id of an image of this project"
    if image.status is ImageStatus.PENDING:
        return "must be a complete image: upload its file and complete it first"
    if image.status is ImageStatus.REFUSED:
        return f"must be a usable image; this one was refused, because it {image.refusal}"
    return None


def _judged(image: Image, content: bytes) -> Image:
    """Return the image as ready with its real size, or as refused with the rule that it breaks."""
    digest = hashlib.sha256(content).hexdigest()
    try:
        picture = _checked(image, content, digest)
    except NotAPicture as broken:
        return image.model_copy(update={"status": ImageStatus.REFUSED, "refusal": str(broken)})
    known = {"bytes": len(content), "sha256": digest, "width": picture.width, "height": picture.height}
    return image.model_copy(update={"status": ImageStatus.READY, **known})


def _checked(image: Image, content: bytes, digest: str) -> Picture:
    """Return what was uploaded. Raises NotAPicture if it is no image, or not the one that was declared."""
    if len(content) > MAX_IMAGE_BYTES:
        raise NotAPicture(f"must have at most {MAX_IMAGE_BYTES // 1024 // 1024} MiB")
    picture = read_picture(content)
    if picture.type != image.type:
        raise NotAPicture(f"must be the {image.type} that was declared; it is {picture.type}")
    if image.sha256 not in {None, digest}:
        raise NotAPicture("must have the sha256 that was declared; the file has changed or broken on its way")
    return picture


class ImageDeletion:
    """Remove what the images of a deleted project have stored outside its partition and its folder."""

    def __init__(self, store: ImageStore, files: ImageFiles) -> None:
        self._store = store
        self._files = files

    def discard_uploads(self, project_id: str) -> None:
        """Delete the uploads of the project's images that were not completed."""
        last: str | None = None
        while page := self._store.page(project_id, limit=PAGE, before=last):
            for image in page:
                if image.status is not ImageStatus.READY:
                    self._files.discard_upload(image.id)
            last = page[-1].id
