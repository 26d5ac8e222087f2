"""The images of a project, and the ports that keep them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from pydantic import Field

from shared.apps.video.ids import ImageId
from shared.apps.video.picture import PictureType
from shared.schema import Schema

MAX_IMAGE_BYTES: Final = 8 * 1024 * 1024
"""Largest image, in bytes."""
MOST_IMAGES: Final = 200
"""Most images of a project; those that were refused or never uploaded count."""


class ImageStatus(StrEnum):
    """Whether an image can be used: `pending` until its upload is complete, then `ready` or `refused`."""

    PENDING = "pending"
    READY = "ready"
    REFUSED = "refused"


class Image(Schema):
    """An image of a project.

    Until it is complete, `type`, `bytes` and `sha256` (in hexadecimal digits) are what its client declared, and the
    size in pixels is unknown. `refusal` is the rule that a refused image breaks.
    """

    id: ImageId
    project_id: str
    status: ImageStatus = ImageStatus.PENDING
    name: str
    type: PictureType
    bytes: int = Field(ge=1, le=MAX_IMAGE_BYTES)
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    refusal: str | None = None
    created_at: datetime
    form_expires_at: datetime


class StaleImage(Exception):
    """The image is not pending any more, or its project was deleted."""


class NoProject(Exception):
    """The project is not stored, or is being deleted."""


class TooManyImages(Exception):
    """The project has MOST_IMAGES images."""


class ImageStore(Protocol):
    """Keep the images of projects. Raises the storage faults of `shared/errors.py`."""

    def add(self, image: Image) -> None:
        """Store a new image.

        Raises:
            NoProject: the project is not stored, or is being deleted.
            TooManyImages: the project has MOST_IMAGES images.
        """

    def finish(self, image: Image) -> None:
        """Store a pending image as ready or refused.

        Raises StaleImage if it is not pending, or its project is not stored or is being deleted.
        """

    def get(self, project_id: str, image_id: str) -> Image | None:
        """Return an image of this project, strongly consistent; None if the project has no such image."""

    def get_all(self, project_id: str, image_ids: Collection[str]) -> Mapping[str, Image]:
        """Return those of the images that the project has, by id, strongly consistent."""

    def page(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[Image]:
        """Return the newest images of the project; with `before`, the newest ones that are older than that id."""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that sends one file to the bucket: POST the `fields`, then the file as `file`, to the `url`."""

    url: str
    fields: Mapping[str, str]
    expires_at: datetime


class ImageFiles(Protocol):
    """Keep the bytes of images. Raises the storage faults of `shared/errors.py`."""

    def upload_form(self, image_id: str, *, size: int, content_type: str) -> UploadForm:
        """Return a form that takes one file of exactly `size` bytes and of this type."""

    def upload(self, image_id: str) -> bytes | None:
        """Return what was uploaded: None if nothing was, and only the first bytes of a file that is too large."""

    def discard_upload(self, image_id: str) -> None:
        """Delete what was uploaded, if anything."""

    def keep(self, image: Image, content: bytes) -> None:
        """Store the bytes of an image under their digest."""

    def discard(self, image: Image) -> None:
        """Delete the bytes that `keep` stored."""

    def read(self, image: Image) -> bytes:
        """Return the bytes of a ready image. Raises ImageGone if they are not stored."""

    def url(self, image: Image) -> str:
        """Return a URL from which a ready image can be read for a few minutes."""


class ImageGone(Exception):
    """The bytes of an image are not stored."""
