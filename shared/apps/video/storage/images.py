"""Keep a project's images: what is known of them beside the project in DynamoDB, and their bytes in S3."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

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
from shared.apps.video.storage.projects import newest_items, project_partition, project_presence
from shared.clock import Clock
from shared.storage.attributes import to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import read_item
from shared.storage.objects import ObjectGone, Objects
from shared.storage.transactions import ConditionsRefused, write_transaction

UPLOAD_SECONDS: Final = 5 * 60
"""How long an upload form is valid."""

URL_SECONDS: Final = 5 * 60
"""How long the URL of an image is valid."""

IMAGE: Final = "IMG#"
"""Prefix of the sort keys of images."""

COUNT: Final = "IMAGES"
"""Sort key of the number of a project's images."""

BODY: Final = "body"
"""The attribute with the image as JSON."""

BATCH: Final = 100
"""The most items that DynamoDB returns to one BatchGetItem."""


class DynamoImageStore:
    """Implements ImageStore: images have the partition of their project."""

    def __init__(self, table: str) -> None:
        self._table = table

    def add(self, image: Image) -> None:
        new = {"TableName": self._table, "Item": _item(image), "ConditionExpression": "attribute_not_exists(PK)"}
        try:
            write_transaction((project_presence(self._table, image.project_id), self._count(image), {"Put": new}))
        except ConditionsRefused as refused:
            raise (NoProject if 0 in refused.existing else TooManyImages) from refused

    def finish(self, image: Image) -> None:
        finished = {
            "TableName": self._table,
            "Item": _item(image),
            "ConditionExpression": "#status = :pending",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":pending": to_attribute(ImageStatus.PENDING)},
        }
        try:
            write_transaction((project_presence(self._table, image.project_id), {"Put": finished}))
        except ConditionsRefused as refused:
            raise StaleImage from refused

    def get(self, project_id: str, image_id: str) -> Image | None:
        item = read_item(self._table, _key(project_id, image_id))
        return _image(item) if item else None

    def get_all(self, project_id: str, image_ids: Collection[str]) -> Mapping[str, Image]:
        ids = list(dict.fromkeys(image_ids))
        found: dict[str, Image] = {}
        for start in range(0, len(ids), BATCH):
            keys = [to_item(_key(project_id, each)) for each in ids[start : start + BATCH]]
            wanted: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            while wanted:
                with storage_faults():
                    response = dynamodb().batch_get_item(RequestItems=wanted)
                images = (_image(item) for item in response["Responses"].get(self._table, []))
                found |= {image.id: image for image in images}
                wanted = response.get("UnprocessedKeys")
        return found

    def page(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[Image]:
        last = None if before is None else f"{IMAGE}{before}"
        return [_image(item) for item in newest_items(self._table, project_id, IMAGE, limit=limit, before=last)]

    def _count(self, image: Image) -> Mapping[str, Any]:
        """Return the write that counts one image more. It is refused if the project has too many."""
        update = {
            "TableName": self._table,
            "Key": to_item({"PK": project_partition(image.project_id), "SK": COUNT}),
            "UpdateExpression": "ADD #count :one",
            "ConditionExpression": "attribute_not_exists(#count) OR #count < :limit",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":one": to_attribute(1), ":limit": to_attribute(MOST_IMAGES)},
        }
        return {"Update": update}


class S3ImageFiles:
    """Implements ImageFiles: uploads in `uploads/`, where they expire, and images in the folder of their project."""

    def __init__(self, objects: Objects, *, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock

    def upload_form(self, image_id: str, *, size: int, content_type: str) -> UploadForm:
        url, fields = self._objects.post_form(
            _upload(image_id), size=size, content_type=content_type, seconds=UPLOAD_SECONDS
        )
        return UploadForm(url, fields, self._clock() + timedelta(seconds=UPLOAD_SECONDS))

    def upload(self, image_id: str) -> bytes | None:
        try:
            return self._objects.get(_upload(image_id), most=MAX_IMAGE_BYTES + 1)
        except ObjectGone:
            return None

    def discard_upload(self, image_id: str) -> None:
        self._objects.delete([_upload(image_id)])

    def keep(self, image: Image, content: bytes) -> None:
        self._objects.put(_content(image), content, content_type=image.type)

    def discard(self, image: Image) -> None:
        self._objects.delete([_content(image)])

    def read(self, image: Image) -> bytes:
        try:
            return self._objects.get(_content(image))
        except ObjectGone as gone:
            raise ImageGone(str(gone)) from gone

    def url(self, image: Image) -> str:
        return self._objects.get_url(_content(image), name=image.name, seconds=URL_SECONDS)


def _upload(image_id: str) -> str:
    return f"uploads/{image_id}"


def _content(image: Image) -> str:
    return f"projects/{image.project_id}/images/{image.sha256}"


def _key(project_id: str, image_id: str) -> dict[str, str]:
    return {"PK": project_partition(project_id), "SK": f"{IMAGE}{image_id}"}


def _item(image: Image) -> Any:
    return to_item({**_key(image.project_id, image.id), "status": image.status, BODY: image.model_dump_json()})


def _image(item: Mapping[str, Any]) -> Image:
    return Image.model_validate_json(item[BODY]["S"])
