"""Keep renders: beside their project in DynamoDB, their turns beside their owner, and their files in S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.apps.video.rendering.render import Render
from shared.apps.video.rendering.render_store import FileGone
from shared.apps.video.rendering.turns import Turn
from shared.apps.video.storage.projects import newest_items, project_partition, project_presence
from shared.jobs.store import PreparedWrites
from shared.storage import keys
from shared.storage.attributes import to_attribute, to_item
from shared.storage.items import query_items, read_item
from shared.storage.objects import ObjectGone, Objects

URL_SECONDS: Final = 5 * 60
"""How long the URL of a video is valid."""

RENDER: Final = "RENDER#"
"""Prefix of the sort keys of renders, behind their project."""

TURN: Final = "RENDERTURN#"
"""Prefix of the sort keys of turns, behind their owner."""

BODY: Final = "body"
"""The attribute with the JSON of what an item stores."""


class DynamoRenderStore:
    """Implements RenderStore: renders have the partition of their project."""

    def __init__(self, table: str) -> None:
        self._table = table

    def get(self, project_id: str, render_id: str) -> Render | None:
        item = read_item(self._table, _key(project_id, render_id))
        return Render.model_validate_json(item[BODY]["S"]) if item else None

    def page(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[Render]:
        last = None if before is None else f"{RENDER}{before}"
        found = newest_items(self._table, project_id, RENDER, limit=limit, before=last)
        return [Render.model_validate_json(item[BODY]["S"]) for item in found]

    def prepare_new(self, render: Render) -> PreparedWrites:
        put = self._put(render, "attribute_not_exists(PK)")
        return PreparedWrites((put, project_presence(self._table, render.project_id)))

    def prepare_update(self, render: Render) -> PreparedWrites:
        return PreparedWrites((self._put(render, "attribute_exists(PK)"),))

    def _put(self, render: Render, condition: str) -> Mapping[str, Any]:
        item = to_item({**_key(render.project_id, render.id), BODY: render.model_dump_json()})
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": condition}}


class DynamoRenderTurns:
    """Implements RenderTurns: a slot is an item of its owner, which is never deleted; a free one names no job."""

    def __init__(self, table: str) -> None:
        self._table = table

    def taken(self, owner: str) -> Sequence[Turn]:
        values = {":owner": keys.user_partition(owner), ":turn": TURN}
        found = query_items(self._table, "PK = :owner AND begins_with(SK, :turn)", values, ConsistentRead=True)
        return [Turn.model_validate_json(item[BODY]["S"]) for item in found if "jobId" in item]

    def prepare_taking(self, owner: str, turn: Turn) -> PreparedWrites:
        fields = {"jobId": turn.job_id, "until": int(turn.until.timestamp()), BODY: turn.model_dump_json()}
        return self._put(
            owner,
            turn,
            fields,
            "attribute_not_exists(jobId) OR jobId = :job OR #until <= :since",
            {":job": turn.job_id, ":since": int(turn.since.timestamp())},
            names={"#until": "until"},
        )

    def prepare_freeing(self, owner: str, turn: Turn) -> PreparedWrites:
        return self._put(owner, turn, {}, "jobId = :job", {":job": turn.job_id})

    def _put(
        self,
        owner: str,
        turn: Turn,
        fields: Mapping[str, Any],
        condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
    ) -> PreparedWrites:
        key = {"PK": keys.user_partition(owner), "SK": f"{TURN}{turn.slot}"}
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": to_item({**key, **fields}),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {name: to_attribute(value) for name, value in values.items()},
        }
        return PreparedWrites(({"Put": put | ({"ExpressionAttributeNames": names} if names else {})},))


class S3RenderFiles:
    """Implements RenderFiles: chunks in the folder of their job, and videos in that of their project in `renders/`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def chunk(self, job_id: str, name: str) -> bytes:
        try:
            return self._objects.get(_chunk(job_id, name))
        except ObjectGone as gone:
            raise FileGone(str(gone)) from gone

    def keep_chunk(self, job_id: str, name: str, content: bytes) -> None:
        self._objects.put(_chunk(job_id, name), content, content_type="video/mp4")

    def discard_chunks(self, job_id: str) -> None:
        self._objects.delete([each.key for each in self._objects.list(f"jobs/{job_id}/chunks/")])

    def keep_video(self, render: Render, content: bytes) -> None:
        self._objects.put(_video(render), content, content_type="video/mp4")

    def discard_video(self, render: Render) -> None:
        self._objects.delete([_video(render)])

    def discard_videos(self, project_id: str) -> None:
        self._objects.delete([each.key for each in self._objects.list(f"renders/{project_id}/")])

    def url(self, render: Render, *, name: str) -> str:
        return self._objects.get_url(_video(render), name=name, seconds=URL_SECONDS)


def _key(project_id: str, render_id: str) -> dict[str, str]:
    return {"PK": project_partition(project_id), "SK": f"{RENDER}{render_id}"}


def _chunk(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/chunks/{name}.mp4"


def _video(render: Render) -> str:
    return f"renders/{render.project_id}/{render.id}.mp4"
