"""Store projects in DynamoDB: a project and all that belongs to it in one partition, with large code in S3."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from shared.apps.video.ids import PROJECT_ID
from shared.apps.video.job_state import JobState
from shared.apps.video.project import ChatMessage, Project, Revision
from shared.apps.video.project_store import MOST_PROJECTS, ProjectWrite, StaleProject, TooManyProjects
from shared.apps.video.scene import ComponentVersion, SceneVersion
from shared.jobs.store import PreparedWrites
from shared.schema import Schema
from shared.storage import keys
from shared.storage.attributes import Item, to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.byte_cache import ByteCache
from shared.storage.items import query_items, read_item
from shared.storage.large_texts import LargeTexts
from shared.storage.matching import BATCH
from shared.storage.owner_index import GONE, OwnerIndex, gone_mark
from shared.storage.sweepable import due_ids, sweep_mark
from shared.storage.transactions import ConditionsRefused, write_transaction

FOLDER = "projects"
"""The folder of the bucket with the code that is too large for an item; it has a folder for each project."""

INLINE_BYTES = 100_000
"""Largest version that is stored in its item."""

TRANSACTION_BYTES = 2_500_000
"""Most bytes of versions that a transaction has in its items: DynamoDB takes 4 MB of items."""

EXISTS = "attribute_exists(PK) AND attribute_not_exists(deleting)"
"""The condition that a project is stored and is not being deleted."""

NEW = {"ConditionExpression": "attribute_not_exists(PK)"}

CACHE_BYTES = 32 * 1024 * 1024
"""How many bytes of versions a process keeps."""

T = TypeVar("T", bound=Schema)


class DynamoProjectStore:
    """The ProjectStore on the table of what does not expire; the port describes the methods.

    It keeps the versions that it has read or stored last: they never change. `count` gets how many versions of a read
    were kept, and how many were not. `saved` is called with every change that was stored.
    """

    def __init__(
        self,
        table: str,
        bucket: str,
        *,
        count: Callable[[int, int], None],
        cache: ByteCache[VersionKey] | None = None,
        saved: Callable[[ProjectWrite], object] | None = None,
    ) -> None:
        self._table = table
        self._bucket = bucket
        self._saved = saved
        self._texts = LargeTexts(bucket, folder=FOLDER)
        self._cache = ByteCache[VersionKey](CACHE_BYTES) if cache is None else cache
        self._count_versions = count
        self._index = OwnerIndex(table, "prj_", PROJECT_ID, _project_key, _visible)

    def save(self, write: ProjectWrite, *, also: PreparedWrites | None = None) -> None:
        versions = _versions_of(write)
        additions = self._additions(write, versions)
        writes = [self._put_project(write), *additions, *(also.writes if also else ())]
        if write.before is None:
            writes.insert(0, self._count(write.after.owner, 1))
        try:
            write_transaction(writes)
        except ConditionsRefused as refused:
            if write.before is None and 0 in refused.existing:
                raise TooManyProjects from refused
            raise StaleProject from refused
        self._cache.add({(write.after.id, sort): content for sort, content in versions.items()})
        if self._saved is not None:
            self._saved(write)

    def get(self, project_id: str) -> Project | None:
        item = read_item(self._table, _project_key(project_id))
        return _model(Project, item) if item else None

    def list_of(self, owner: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Project], str | None]:
        return self._index.page(owner, matches=lambda _: True, limit=limit, cursor=cursor)

    def revision(self, project_id: str, number: int) -> Revision | None:
        item = read_item(self._table, _key(project_id, _revision_sort(number)))
        return _model(Revision, item) if item else None

    def revisions(self, project_id: str, *, limit: int, before: int | None = None) -> Sequence[Revision]:
        last = None if before is None else _revision_sort(max(before, 0))
        return self._newest(Revision, project_id, REVISION, limit=limit, before=last)

    def scenes(self, project_id: str, wanted: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], SceneVersion]:
        return self._versions(SceneVersion, project_id, wanted, _scene_sort)

    def components(
        self, project_id: str, wanted: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], ComponentVersion]:
        return self._versions(ComponentVersion, project_id, wanted, _component_sort)

    def message(self, project_id: str, message_id: str) -> ChatMessage | None:
        item = read_item(self._table, _key(project_id, f"{MESSAGE}{message_id}"))
        return _model(ChatMessage, item) if item else None

    def messages(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        last = None if before is None else f"{MESSAGE}{before}"
        return self._newest(ChatMessage, project_id, MESSAGE, limit=limit, before=last)

    def add_message(self, message: ChatMessage, *, also: PreparedWrites | None = None) -> bool:
        try:
            write_transaction((*self.prepare_message(message).writes, *(also.writes if also else ())))
        except ConditionsRefused:
            return False
        return True

    def prepare_message(self, message: ChatMessage) -> PreparedWrites:
        return PreparedWrites((self._put_message(message, **NEW), *self.prepare_presence(message.project_id).writes))

    def prepare_update(self, message: ChatMessage, *, was: JobState) -> PreparedWrites:
        stored = {
            "ConditionExpression": "#status = :was",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":was": to_attribute(was)},
        }
        return PreparedWrites((self._put_message(message, **stored),))

    def prepare_presence(self, project_id: str) -> PreparedWrites:
        return PreparedWrites((project_presence(self._table, project_id),))

    def hide(self, project: Project) -> None:
        hidden = {
            "TableName": self._table,
            "Key": to_item(_project_key(project.id)),
            "UpdateExpression": "SET deleting = :yes, ownerSort = :gone",
            "ConditionExpression": EXISTS,
            "ExpressionAttributeValues": to_item({":yes": True, ":gone": f"{GONE}{project.id}"}),
        }
        with contextlib.suppress(ConditionsRefused):  # an earlier call has hidden it
            write_transaction([{"Update": hidden}, self._count(project.owner, -1)])

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        return self._index.every_id(owner, gone=gone)

    def delete(self, project_id: str, *, purge_at: datetime) -> None:
        project = self.get(project_id)
        if project is None:
            return
        self._empty(project_id, keeping=PROJECT)
        # The project last, so that a deletion that failed can be repeated.
        mark = {**sweep_mark(DELETED_PROJECTS, purge_at), **gone_mark(project.owner, project_id)}
        note = {**_key(project_id, DELETED), **mark}
        delete = {"TableName": self._table, "Key": to_item(_project_key(project_id))}
        write_transaction(({"Delete": delete}, {"Put": {"TableName": self._table, "Item": to_item(note)}}))

    def deleted(self, now: datetime) -> Sequence[str]:
        return due_ids(self._table, DELETED_PROJECTS, now, most=MOST_DUE)

    def purge(self, project_id: str) -> None:
        self._empty(project_id, keeping=DELETED)
        self._remove(to_item(_key(project_id, DELETED)))

    def _empty(self, project_id: str, *, keeping: str) -> None:
        """Delete the project's objects, and its items except the one with the sort key `keeping`."""
        self._cache.forget_all(lambda key: key[0] == project_id)
        self._texts.delete_all(project_id)
        partition = {":project": project_partition(project_id)}
        for key in query_items(
            self._table, "PK = :project", partition, ConsistentRead=True, ProjectionExpression="PK, SK"
        ):
            if key["SK"]["S"] != keeping:
                self._remove(key)

    def _put_project(self, write: ProjectWrite) -> Mapping[str, Any]:
        project, before = write.after, write.before
        item = {
            **_project_key(project.id),
            "owner": project.owner,
            "ownerSort": project.id,
            "revision": project.revision,
            BODY: project.model_dump_json(exclude={"deleting"}),
        }
        put: dict[str, Any] = {"TableName": self._table, "Item": to_item(item)}
        if before is None:
            return {"Put": {**put, **NEW}}
        return {
            "Put": {
                **put,
                "ConditionExpression": f"{EXISTS} AND revision = :before",
                "ExpressionAttributeValues": {":before": to_attribute(before.revision)},
            }
        }

    def _additions(self, write: ProjectWrite, versions: Mapping[str, bytes]) -> Iterator[Mapping[str, Any]]:
        """Yield the writes of all that the change adds. To write the same again is refused: nothing ever changes."""
        project_id = write.after.id
        yield self._put(project_id, _revision_sort(write.revision.number), write.revision.model_dump_json(), **NEW)
        inline_bytes = min(INLINE_BYTES, TRANSACTION_BYTES // max(len(versions), 1))
        texts = LargeTexts(self._bucket, folder=FOLDER, inline_bytes=inline_bytes)
        for sort, content in versions.items():
            # Two changes may prepare the same version, of which one is stored. With the digest in its name, neither
            # text overwrites the other.
            digest = hashlib.sha256(content).hexdigest()
            stored = texts.store(project_id, f"code/{sort.replace('#', '-')}-{digest}", content.decode())
            yield self._put(project_id, sort, stored, **NEW)
        for message in write.messages:
            yield self._put_message(message, **NEW)

    def _put_message(self, message: ChatMessage, **condition: Any) -> Mapping[str, Any]:
        sort = f"{MESSAGE}{message.id}"
        return self._put(message.project_id, sort, message.model_dump_json(), status=message.status, **condition)

    def _put(
        self, project_id: str, sort: str, body: str, *, status: str | None = None, **condition: Any
    ) -> Mapping[str, Any]:
        item = to_item({**_key(project_id, sort), "status": status, BODY: body})
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def _count(self, owner: str, more: int) -> Mapping[str, Any]:
        """Return the write that counts the owner's projects. To add one is refused if there are too many."""
        update: dict[str, Any] = {
            "TableName": self._table,
            "Key": to_item({"PK": keys.user_partition(owner), "SK": "PROJECTS"}),
            "UpdateExpression": "ADD #count :more",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":more": to_attribute(more)},
        }
        if more > 0:
            update["ConditionExpression"] = "attribute_not_exists(#count) OR #count < :limit"
            update["ExpressionAttributeValues"][":limit"] = to_attribute(MOST_PROJECTS)
        return {"Update": update}

    def _versions(
        self,
        kind: type[T],
        project_id: str,
        wanted: Collection[tuple[str, int]],
        sort_of: Callable[[str, int], str],
    ) -> dict[tuple[str, int], T]:
        """Return these versions by name and version; read those that the process does not have, in batches."""
        by_sort = {sort_of(*each): each for each in wanted}
        kept = self._cache.get([(project_id, sort) for sort in by_sort])
        if by_sort:
            self._count_versions(len(kept), len(by_sort) - len(kept))
        contents = {sort: content for (_, sort), content in kept.items()}
        missing = iter([sort for sort in by_sort if sort not in contents])
        while batch := list(islice(missing, BATCH)):
            for item in self._read_batch([to_item(_key(project_id, sort)) for sort in batch]):
                sort = item["SK"]["S"]
                contents[sort] = self._texts.load(item[BODY]["S"]).encode()
                self._cache.add({(project_id, sort): contents[sort]})
        return {by_sort[sort]: kind.model_validate_json(content) for sort, content in contents.items()}

    def _read_batch(self, wanted_keys: Sequence[Item]) -> Iterator[Mapping[str, Any]]:
        wanted: Any = {self._table: {"Keys": wanted_keys, "ConsistentRead": True}}
        while wanted:
            with storage_faults():
                response = dynamodb().batch_get_item(RequestItems=wanted)
            yield from response["Responses"].get(self._table, [])
            wanted = response.get("UnprocessedKeys")

    def _newest(self, kind: type[T], project_id: str, prefix: str, *, limit: int, before: str | None) -> Sequence[T]:
        found = newest_items(self._table, project_id, prefix, limit=limit, before=before)
        return [_model(kind, item) for item in found]

    def _remove(self, key: Item) -> None:
        with storage_faults():
            dynamodb().delete_item(TableName=self._table, Key=key)


VersionKey: TypeAlias = tuple[str, str]
"""A project's id, and the sort key of a version of it."""

PROJECT = "PROJECT"
"""Sort key of a project."""

DELETED = "DELETED"
"""Sort key of the note that a project was deleted."""

DELETED_PROJECTS = "deleted projects"
"""The hash key of these notes in the index `Sweepable`."""

MOST_DUE = 100
"""How many deleted projects a sweep reads at a time."""

REVISION = "REV#"
"""Prefix of the sort keys of revisions."""

MESSAGE = "CHAT#"
"""Prefix of the sort keys of messages."""

BODY = "body"
"""The attribute with the JSON of what an item stores: props must come back exactly as they were."""


def project_partition(project_id: str) -> str:
    """Return the partition key of a project and of all that belongs to it."""
    return f"PROJECT#{project_id}"


def newest_items(
    table: str, project_id: str, prefix: str, *, limit: int, before: str | None
) -> Iterator[Mapping[str, Any]]:
    """Yield the newest items of a project, newest first, whose sort keys begin with the prefix and are below `before`.

    They are read strongly consistent.
    """
    found = query_items(
        table,
        "PK = :project AND SK BETWEEN :first AND :last",
        {":project": project_partition(project_id), ":first": prefix, ":last": before or f"{prefix}~"},
        ConsistentRead=True,
        ScanIndexForward=False,
        Limit=limit + 1,
    )
    return islice((each for each in found if each["SK"]["S"] != before), limit)


def project_presence(table: str, project_id: str) -> Mapping[str, Any]:
    """Return the check that the project is stored and not being deleted, for a transaction."""
    check = {"TableName": table, "Key": to_item(_project_key(project_id)), "ConditionExpression": EXISTS}
    return {"ConditionCheck": check}


def _key(project_id: str, sort: str) -> dict[str, str]:
    return {"PK": project_partition(project_id), "SK": sort}


def _project_key(project_id: str) -> dict[str, str]:
    return _key(project_id, PROJECT)


def _revision_sort(number: int) -> str:
    return f"{REVISION}{number:010d}"


def _scene_sort(scene_id: str, version: int) -> str:
    return f"SCENE#{scene_id}#V#{version:010d}"


def _component_sort(name: str, version: int) -> str:
    return f"COMP#{name}#V#{version:010d}"


def _versions_of(write: ProjectWrite) -> Mapping[str, bytes]:
    """Return the JSON of the versions that the change adds, by their sort keys."""
    scenes = {_scene_sort(each.scene_id, each.version): each.model_dump_json().encode() for each in write.scenes}
    components = {
        _component_sort(each.draft.name, each.version): each.model_dump_json().encode() for each in write.components
    }
    return {**scenes, **components}


def _visible(item: Mapping[str, Any]) -> Project | None:
    project = _model(Project, item)
    return None if project.deleting else project


def _model(kind: type[T], item: Mapping[str, Any]) -> T:
    found = kind.model_validate_json(item[BODY]["S"])
    return found.model_copy(update={"deleting": True}) if "deleting" in item else found
