"""The record of an archived job, as one gzip file: a JSON object whose first part lists read without the rest."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import Job
from shared.log.event_log import LogSnapshot
from shared.log.events import Item, Subtask
from shared.log.history import HistoryEntry
from shared.schema import Schema

HEAD_BYTES = 16_384
"""How many bytes of a file a list reads. The head of a record is smaller, because it has no prompt and no output."""

MOST_BYTES = 256_000_000
"""Most bytes of a record's JSON. A larger file is not one of ours."""

Retention = Literal["standard", "linked"]
"""How long a record is kept: `standard` for some days, `linked` as long as what the job is linked to."""


class UnreadableRecord(ValueError):
    """The file is not a record that this code can read. The message names the fault, and no value of the record."""


class ArchivedHead(Schema):
    """What a list shows of an archived job: the job without its input. `version` is the form of the record."""

    version: Literal[1] = 1
    retention: Retention
    archived_at: datetime
    job: Job


class ArchivedJob(ArchivedHead):
    """An ended job with everything that the API shows of it.

    `last_event_id` is the id of the terminal event, `log_bytes` the size of the log up to there. `outputs` are the
    outputs of the finished stages by name, from which a failed or cancelled job can be resumed; a completed job has
    none. `history_is_whole` is false if events were no longer in the log when the job was archived.
    """

    input: dict[str, Any]
    text: str
    items: tuple[Item, ...] = ()
    subtasks: tuple[Subtask, ...] = ()
    stage: str | None = None
    progress: float = Field(ge=0, le=100)
    last_event_id: int = Field(ge=1)
    log_bytes: int = Field(default=0, ge=0)
    result: dict[str, Any] | None = None
    history: tuple[HistoryEntry, ...] = ()
    history_is_whole: bool = True
    outputs: dict[str, StageOutput] = Field(default_factory=dict)

    @property
    def whole_job(self) -> Job:
        """Return the job with its input."""
        return self.job.model_copy(update={"input": self.input})

    def snapshot(self, seq: int) -> LogSnapshot:
        """Return everything that the job's events amount to as the snapshot of its log up to event `seq`."""
        outputs = list(self.outputs.values())
        return LogSnapshot(
            seq=seq,
            text=self.text,
            stage=self.stage,
            progress=self.progress,
            log_bytes=self.log_bytes,
            items=self.items,
            subtasks=self.subtasks,
            checkpoint_text=outputs[-1].text if outputs else "",
            history=self.history,
            history_is_whole=self.history_is_whole,
        )


def rank(head: ArchivedHead) -> tuple[int, datetime]:
    """Return what decides which of two records of a job is newer: its generation, then its last change."""
    return head.job.generation, head.job.updated_at


def packed(record: ArchivedJob) -> bytes:
    """Return the record as a file. Equal records make equal files.

    The file has two gzip members, which every reader of gzip joins to one JSON object. The first has the fields of
    ArchivedHead.
    """
    values = record.model_dump(mode="json")
    values["job"]["input"] = {}
    head = {name: values.pop(name) for name in _HEAD_NAMES}
    texts = (_json(head)[:-1] + ",", _json(values)[1:])
    return b"".join(gzip.compress(text.encode(), mtime=0) for text in texts)


def unpacked(file: bytes) -> ArchivedJob:
    """Return the record in a file. Raises UnreadableRecord."""
    try:
        return ArchivedJob.model_validate_json(_decompressed(file))
    except ValidationError as error:
        raise UnreadableRecord(_without_values(error)) from None


def unpacked_head(beginning: bytes) -> ArchivedHead:
    """Return the head of the record whose file begins with these bytes, HEAD_BYTES or all. Raises UnreadableRecord."""
    text = _first_member(beginning)
    if not text.endswith(b","):
        raise UnreadableRecord("the head does not end where it should")
    try:
        return ArchivedHead.model_validate_json(text[:-1] + b"}")
    except ValidationError as error:
        raise UnreadableRecord(_without_values(error)) from None


_HEAD_NAMES = ("version", "retention", "archivedAt", "job")


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _first_member(data: bytes) -> bytes:
    member = zlib.decompressobj(wbits=31)
    try:
        text = member.decompress(data, HEAD_BYTES * 64)
    except zlib.error as error:
        raise UnreadableRecord("not a gzip file") from error
    if not member.eof:
        raise UnreadableRecord("the head is not whole")
    return text


def _decompressed(file: bytes) -> bytes:
    parts: list[bytes] = []
    size, rest = 0, file
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(rest, MOST_BYTES - size + 1))
        except zlib.error as error:
            raise UnreadableRecord("not a gzip file") from error
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise UnreadableRecord("the file is too large")
        if not member.eof:
            raise UnreadableRecord("the file is not whole")
        rest = member.unused_data
    return b"".join(parts)


def _without_values(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in error.errors())
