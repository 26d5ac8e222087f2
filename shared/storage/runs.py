"""Store runs in DynamoDB: a run, its transforms and its artefacts in one partition, so that a lineage is one query."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.clock import Clock, utc_now
from shared.jobs.ids import RUN_ID
from shared.jobs.store import PreparedWrites
from shared.runs.run import Artefact, Lineage, Run, Transform, TransformStatus
from shared.runs.store import RunPage
from shared.storage import keys
from shared.storage.attributes import Item, from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.items import query_items, read_item, remove_partition
from shared.storage.large_texts import LargeTexts
from shared.storage.owner_index import GONE, OwnerIndex, gone_mark

EXISTS = "attribute_exists(PK) AND attribute_not_exists(deleting)"
"""The condition that a run is stored and is not being deleted."""

NOTED_SECONDS = 86_400
"""How long it is stored that there was a run."""

KEY_ATTRIBUTES = frozenset({"PK", "SK", "ownerSort"})
"""Attributes of an item that are not fields of a run, transform or artefact."""


class DynamoRunStore:
    """The RunStore on a DynamoDB table, with large contents in S3; the port describes the methods."""

    def __init__(self, table: str, large_texts: LargeTexts, *, clock: Clock = utc_now) -> None:
        self._table = table
        self._clock = clock
        self._large_texts = large_texts
        self._index = OwnerIndex(table, "run_", RUN_ID, keys.run, _visible)

    def get(self, run_id: str) -> Run | None:
        item = read_item(self._table, keys.run(run_id))
        return _run(item) if item else None

    def transform(self, run_id: str, transform_id: str) -> Transform | None:
        item = read_item(self._table, keys.transform(run_id, transform_id))
        return Transform.model_validate(_values(item)) if item else None

    def lineage(self, run_id: str) -> Lineage | None:
        run: Run | None = None
        transforms: list[Transform] = []
        artefacts: list[Artefact] = []
        for item in self._partition(run_id):
            values = _values(item)
            kind = item["SK"]["S"].split("#")[0]
            if kind == keys.TRANSFORM:
                transforms.append(Transform.model_validate(values))
            elif kind == keys.DELETED:
                continue
            elif kind == keys.ARTEFACT:
                content = json.loads(self._large_texts.load(values["content"]))
                artefacts.append(Artefact.model_validate({**values, "content": content}))
            else:
                run = _run(item)
        return Lineage(run, transforms, artefacts) if run is not None else None

    def job_ids(self, run_id: str) -> Sequence[str]:
        key = keys.transform(run_id, "")
        found = query_items(
            self._table,
            "PK = :run AND begins_with(SK, :transforms)",
            {":run": key["PK"], ":transforms": key["SK"]},
            ConsistentRead=True,
            ProjectionExpression="jobId",
        )
        return [job_id for each in found if (job_id := from_item(each).get("jobId")) is not None]

    def list_owned(
        self, owner: str, *, kind: str, status: TransformStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        def matches(run: Run) -> bool:
            return run.kind == kind and status in {None, run.status}

        return RunPage(*self._index.page(owner, matches=matches, limit=limit, cursor=cursor))

    def prepare_creation(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        return self._prepare(run, transform, artefacts, ConditionExpression="attribute_not_exists(PK)")

    def prepare_revision(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        # Runs that were created before revisions existed have no revision.
        unchanged: dict[str, Any] = (
            {"ConditionExpression": f"{EXISTS} AND attribute_not_exists(revision)"}
            if run.revision == 1
            else {
                "ConditionExpression": f"{EXISTS} AND revision = :before",
                "ExpressionAttributeValues": {":before": to_attribute(run.revision - 1)},
            }
        )
        return self._prepare(run, transform, artefacts, **unchanged)

    def prepare_presence(self, run_id: str) -> PreparedWrites:
        check = {"TableName": self._table, "Key": to_item(keys.run(run_id)), "ConditionExpression": EXISTS}
        return PreparedWrites(({"ConditionCheck": check},))

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        return self._index.every_id(owner, gone=gone)

    def hide(self, run_id: str) -> None:
        with contextlib.suppress(RunMissing), refused_condition(lambda _: RunMissing()):
            dynamodb().update_item(
                TableName=self._table,
                Key=to_item(keys.run(run_id)),
                UpdateExpression="SET deleting = :yes, ownerSort = :gone",
                ConditionExpression="attribute_exists(PK)",
                ExpressionAttributeValues=to_item({":yes": True, ":gone": f"{GONE}{run_id}"}),
            )

    def remove(self, run_id: str) -> None:
        self._large_texts.delete_all(run_id)
        for key in self._partition(run_id, ProjectionExpression="PK, SK"):
            if key["SK"]["S"] not in {keys.RUN, keys.DELETED}:
                self._remove(key)
        run = self.get(run_id)
        if run is not None:
            expires_at = int(self._clock().timestamp()) + NOTED_SECONDS
            note = {**_note_key(run_id), **gone_mark(run.owner, run_id), "expiresAt": expires_at}
            with storage_faults():
                dynamodb().put_item(TableName=self._table, Item=to_item(note))
        # Delete the run last, so that a deletion that failed can be repeated.
        self._remove(to_item(keys.run(run_id)))

    def purge(self, run_id: str) -> None:
        self._large_texts.delete_all(run_id)
        remove_partition(self._table, keys.run(run_id)["PK"], last=keys.DELETED)

    def _prepare(
        self, run: Run, transform: Transform, artefacts: Sequence[Artefact], **condition: Any
    ) -> PreparedWrites:
        run_item = {**keys.run(run.id), "ownerSort": run.id, **_dump(run)}
        puts = [
            {"Item": to_item(run_item), **condition},
            {"Item": to_item({**keys.transform(run.id, transform.id), **_dump(transform)})},
            *({"Item": self._item_of(each), "ConditionExpression": "attribute_not_exists(PK)"} for each in artefacts),
        ]
        return PreparedWrites(tuple({"Put": {"TableName": self._table, **put}} for put in puts))

    def _item_of(self, artefact: Artefact) -> Item:
        # Two requests may prepare the same version, of which one is stored. With the digest in its name, neither text
        # overwrites the other.
        content = self._large_texts.store(artefact.run_id, f"{artefact.ref}-{artefact.digest}", artefact.text)
        own = {**_dump(artefact), "content": content}
        return to_item({**keys.artefact(artefact.run_id, artefact.role, artefact.version), **own})

    def _remove(self, key: Item) -> None:
        with storage_faults():
            dynamodb().delete_item(TableName=self._table, Key=key)

    def _partition(self, run_id: str, **options: Any) -> Iterator[Item]:
        return query_items(self._table, "PK = :run", {":run": keys.run(run_id)["PK"]}, ConsistentRead=True, **options)


class RunMissing(Exception):
    """No item of the run is stored any more."""


def _note_key(run_id: str) -> dict[str, str]:
    return {"PK": keys.run(run_id)["PK"], "SK": keys.DELETED}


def _visible(item: Mapping[str, Any]) -> Run | None:
    run = _run(item)
    return None if run.deleting else run


def _run(item: Mapping[str, Any]) -> Run:
    return Run.model_validate(_values(item))


def _dump(model: Run | Transform | Artefact) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True, exclude={"deleting"})


def _values(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in from_item(item).items() if name not in KEY_ATTRIBUTES}
