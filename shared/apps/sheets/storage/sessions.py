"""Store sessions in DynamoDB: a session and what belongs to it in one partition, its events beside the jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from shared.apps.sheets.session import SESSION_EVENTS, ChatMessage, Session, SessionJob, SessionState, Version
from shared.apps.sheets.session_id import SESSION_ID
from shared.apps.sheets.session_store import MOST_DUE, NumberedEvent, SessionChange, StaleSession
from shared.jobs.ids import ulid_of
from shared.jobs.store import PreparedWrites
from shared.schema import Schema
from shared.storage.attributes import Item, from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.items import query_items, read_item
from shared.storage.keys import EVENT_PREFIX
from shared.storage.owner_index import OwnerIndex, gone_mark
from shared.storage.sweepable import due_ids, sweep_mark, sweep_time
from shared.storage.transactions import ConditionsRefused, write_transaction

SWEPT = "sessions"
"""The hash key of sessions in the index `Sweepable`."""

DELETED_SESSIONS = "deleted sessions"
"""The hash key of deleted sessions in the index `Sweepable`."""

EVENT_SECONDS = 86_400
"""How long events are kept."""

T = TypeVar("T", bound=Schema)


class DynamoSessionStore:
    """The SessionStore on two tables: `durable` for what people keep, `events` for events, which expire."""

    def __init__(self, durable: str, events: str) -> None:
        self._durable = durable
        self._events = events
        self._index = OwnerIndex(durable, "ses_", SESSION_ID, _session_key, _session)

    def save(self, change: SessionChange, *, also: PreparedWrites | None = None) -> None:
        try:
            write_transaction((*self.prepare(change).writes, *(also.writes if also else ())))
        except ConditionsRefused as refused:
            raise StaleSession from refused

    def prepare(self, change: SessionChange) -> PreparedWrites:
        return PreparedWrites(tuple(self._writes(change)))

    def prepare_open(self, session_id: str) -> PreparedWrites:
        check = {
            "TableName": self._durable,
            "Key": to_item(_session_key(session_id)),
            "ConditionExpression": "attribute_exists(PK) AND #state <> :closed",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":closed": to_attribute(SessionState.CLOSED)},
        }
        return PreparedWrites(({"ConditionCheck": check},))

    def get(self, session_id: str) -> Session | None:
        item = read_item(self._durable, _session_key(session_id))
        return _session(item) if item else None

    def list_of(
        self, owner: str, *, state: SessionState | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Session], str | None]:
        return self._index.page(owner, matches=lambda each: state in {None, each.state}, limit=limit, cursor=cursor)

    def events(self, session_id: str, *, after: int) -> Sequence[NumberedEvent]:
        found = query_items(
            self._events,
            "PK = :session AND SK BETWEEN :first AND :last",
            {":session": _partition(session_id), ":first": _event_sort(after + 1), ":last": f"{EVENT_PREFIX}~"},
            ConsistentRead=True,
        )
        return [each for item in found for each in _numbered(item) if each.seq > after]

    def version(self, session_id: str, number: int) -> Version | None:
        item = read_item(self._durable, _key(session_id, _version_sort(number)))
        return _model(Version, item) if item else None

    def versions(self, session_id: str, *, limit: int, before: int | None = None) -> Sequence[Version]:
        if before is not None and before <= 0:
            return ()
        last = None if before is None else _version_sort(before)
        return self._newest(Version, session_id, VERSION, limit=limit, before=last)

    def messages(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        last = None if before is None else f"{MESSAGE}{before}"
        return self._newest(ChatMessage, session_id, MESSAGE, limit=limit, before=last)

    def job(self, session_id: str, job_id: str) -> SessionJob | None:
        item = read_item(self._durable, _key(session_id, _job_sort(job_id)))
        return _model(SessionJob, item) if item else None

    def message(self, session_id: str, message_id: str) -> ChatMessage | None:
        item = read_item(self._durable, _key(session_id, f"{MESSAGE}{message_id}"))
        return _model(ChatMessage, item) if item else None

    def jobs(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[SessionJob]:
        last = None if before is None else _job_sort(before)
        return self._newest(SessionJob, session_id, JOB, limit=limit, before=last)

    def due(self, now: datetime) -> Sequence[Session]:
        ids = due_ids(self._durable, SWEPT, now, most=MOST_DUE)
        sessions = self._index.load_all(ids)
        return [sessions[each] for each in ids if each in sessions]

    def postpone(self, session: Session, until: datetime | None) -> None:
        seq = {":seq": to_attribute(session.seq)}
        update: dict[str, Any] = (
            {"UpdateExpression": "REMOVE sweep, sweepAt", "ExpressionAttributeValues": seq}
            if until is None
            else {
                "UpdateExpression": "SET sweep = :sweep, sweepAt = :until",
                "ExpressionAttributeValues": {**seq, **to_item({":sweep": SWEPT, ":until": sweep_time(until)})},
            }
        )
        with contextlib.suppress(StaleSession), refused_condition(lambda _: StaleSession()):
            dynamodb().update_item(
                TableName=self._durable,
                Key=to_item(_session_key(session.id)),
                ConditionExpression="seq = :seq",
                **update,
            )

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        return self._index.every_id(owner, gone=gone)

    def delete(self, session_id: str, *, purge_at: datetime) -> None:
        session = self.get(session_id)
        if session is None:
            return
        # The session itself last, so that a deletion that failed can be repeated.
        self._empty(session_id, keeping=SESSION)
        mark = {**sweep_mark(DELETED_SESSIONS, purge_at), **gone_mark(session.owner, session_id)}
        note = {**_key(session_id, DELETED), **mark}
        write_transaction(
            (
                {"Delete": {"TableName": self._durable, "Key": to_item(_session_key(session_id))}},
                {"Put": {"TableName": self._durable, "Item": to_item(note)}},
            )
        )

    def deleted(self, now: datetime) -> Sequence[str]:
        return due_ids(self._durable, DELETED_SESSIONS, now, most=MOST_DUE)

    def purge(self, session_id: str) -> None:
        self._empty(session_id, keeping=DELETED)
        self._remove(self._durable, to_item(_key(session_id, DELETED)))

    def _writes(self, change: SessionChange) -> Iterator[Mapping[str, Any]]:
        session = change.after
        yield self._put_if(session, change.before)
        if change.events:
            yield {"Put": {"TableName": self._events, "Item": _event_item(change)}}
        if change.version is not None:
            new = {"ConditionExpression": "attribute_not_exists(PK)"}
            yield self._put(session.id, _version_sort(change.version.number), change.version, **new)
        for message in change.messages:
            yield self._put(session.id, f"{MESSAGE}{message.id}", message)
        for job in change.jobs:
            yield self._put(session.id, _job_sort(job.job_id), job)

    def _put_if(self, session: Session, before: Session | None) -> Mapping[str, Any]:
        """Return the write of the session, on the condition that it is stored as `before`."""
        item = to_item(
            {
                **_session_key(session.id),
                "owner": session.owner,
                "ownerSort": session.id,
                "seq": session.seq,
                "state": session.state,
                "sweep": SWEPT if session.sweep_at else None,
                "sweepAt": sweep_time(session.sweep_at) if session.sweep_at else None,
                BODY: session.model_dump_json(),
            }
        )
        put: dict[str, Any] = {"TableName": self._durable, "Item": item}
        if before is None:
            return {"Put": {**put, "ConditionExpression": "attribute_not_exists(PK)"}}
        return {
            "Put": {
                **put,
                "ConditionExpression": "seq = :before",
                "ExpressionAttributeValues": {":before": to_attribute(before.seq)},
            }
        }

    def _put(self, session_id: str, sort: str, model: Schema, **condition: Any) -> Mapping[str, Any]:
        item = to_item({**_key(session_id, sort), BODY: model.model_dump_json()})
        return {"Put": {"TableName": self._durable, "Item": item, **condition}}

    def _newest(self, kind: type[T], session_id: str, prefix: str, *, limit: int, before: str | None) -> Sequence[T]:
        """Return the newest items whose sort keys begin with the prefix and sort below `before`."""
        values = {":session": _partition(session_id), ":first": prefix, ":last": before or f"{prefix}~"}
        found = query_items(
            self._durable,
            "PK = :session AND SK BETWEEN :first AND :last",
            values,
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=limit + 1,
        )
        chosen = (item for item in found if item["SK"]["S"] != before)
        return [_model(kind, item) for _, item in zip(range(limit), chosen, strict=False)]

    def _empty(self, session_id: str, *, keeping: str) -> None:
        """Delete the items of the session's partitions, except the one with the sort key `keeping`."""
        partition, keys = {":session": _partition(session_id)}, {"ProjectionExpression": "PK, SK"}
        for table in (self._events, self._durable):
            for key in query_items(table, "PK = :session", partition, ConsistentRead=True, **keys):
                if key["SK"]["S"] != keeping:
                    self._remove(table, key)

    def _remove(self, table: str, key: Item) -> None:
        with storage_faults():
            dynamodb().delete_item(TableName=table, Key=key)


SESSION = "SESSION"
"""Sort key of a session."""

DELETED = "DELETED"
"""Sort key of the note that a session was deleted."""

VERSION = "VERSION#"
"""Prefix of the sort keys of versions."""

MESSAGE = "MSG#"
"""Prefix of the sort keys of messages."""

JOB = "JOBREF#"
"""Prefix of the sort keys of a session's jobs."""

BODY = "body"
"""The attribute with the JSON of what an item stores: typed values of cells must come back exactly as they were."""


def _partition(session_id: str) -> str:
    return f"SESSION#{session_id}"


def _key(session_id: str, sort: str) -> dict[str, str]:
    return {"PK": _partition(session_id), "SK": sort}


def _session_key(session_id: str) -> dict[str, str]:
    return _key(session_id, SESSION)


def _version_sort(number: int) -> str:
    return f"{VERSION}{number:08d}"


def _job_sort(job_id: str) -> str:
    """Return the sort key of a session's job: the ULID of the job's id without its cell, which sorts by time."""
    return f"{JOB}{ulid_of(job_id)}"


def _event_sort(seq: int) -> str:
    return f"{EVENT_PREFIX}{seq:010d}"


def _event_item(change: SessionChange) -> Item:
    """Return the item with the events of a change. Its key has the last number, so a query finds it by any of them."""
    session = change.after
    expires = int(session.updated_at.timestamp()) + EVENT_SECONDS
    events = SESSION_EVENTS.dump_json(change.events).decode()
    key = _key(session.id, _event_sort(session.seq))
    return to_item({**key, "at": sweep_time(session.updated_at), BODY: events, "expiresAt": expires})


def _numbered(item: Mapping[str, Any]) -> Iterator[NumberedEvent]:
    values = from_item(item)
    events = SESSION_EVENTS.validate_json(values[BODY])
    first = int(values["SK"].removeprefix(EVENT_PREFIX)) - len(events) + 1
    at = datetime.fromisoformat(values["at"])
    for seq, event in enumerate(events, start=first):
        yield NumberedEvent(seq, at, event)


def _session(item: Mapping[str, Any]) -> Session:
    return _model(Session, item)


def _model(kind: type[T], item: Mapping[str, Any]) -> T:
    return kind.model_validate_json(item[BODY]["S"])
