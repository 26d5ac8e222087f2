"""A session with a real workbook, and chat jobs about it, on the fakes of all stores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.apps.sheets.chat import AnswerMessage, PrepareMessage
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.history import History
from shared.apps.sheets.models import SheetAnswer, SheetChatInput
from shared.apps.sheets.ops import CellWrite, WriteCells
from shared.apps.sheets.publishing import Change, Publishing
from shared.apps.sheets.session import (
    ChatMessage,
    FileFormat,
    Inventory,
    Session,
    SessionState,
    Source,
    StateChanged,
    Version,
)
from shared.apps.sheets.session_id import message_id
from shared.apps.sheets.session_store import SessionChange
from shared.apps.sheets.workbook import Workbook
from shared.apps.sheets.workspace import SheetServices
from shared.jobs.job import Job, JobLinks
from shared.jobs.pipeline import Pipeline, Pipelines
from shared.llm.model import ChatModel, ToolCall
from shared.tools.budget import Budget
from tests.apps.sheets.engines import patient_engine
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.core import FakeCore, a_job
from tests.fakes.model import CallingModel
from tests.fakes.sessions import FakeSessionStore
from tests.fakes.workbook_data import FakeWorkbookData

SESSION = "ses_01K0000000000000000000000A"
SALES = "Region,Units,Price\nNorth,3,2.5\nSouth,5,1.5\nNorth,2,4\nEast,7,1\n"
CHAT = Pipeline("sheet_chat", SheetChatInput, SheetAnswer, ("prepare_message", "answer_message"))


def call(name: str, identity: str = "c1", **arguments: Any) -> ToolCall:
    return ToolCall(identity, name, json.dumps(arguments))


class ChatWorld:
    """One active session, whose workbook is a CSV file, given as text, or an XLSX file, given as bytes."""

    def __init__(self, folder: Path, content: str | bytes = SALES) -> None:
        self.clock = SettableClock()
        self.core = FakeCore(clock=self.clock, pipelines=Pipelines(CHAT))
        self.sessions = FakeSessionStore()
        self.data = FakeWorkbookData(clock=self.clock)
        self.engine = patient_engine()
        self.publishing = Publishing(sessions=self.sessions, data=self.data, engine=self.engine, clock=self.clock)
        self.services = SheetServices(
            sessions=self.sessions,
            publishing=self.publishing,
            history=History(publishing=self.publishing, sessions=self.sessions, data=self.data, clock=self.clock),
            health=SessionHealth(sessions=self.sessions, data=self.data, clock=self.clock),
        )
        self._load(folder, content)

    @property
    def session(self) -> Session:
        found = self.sessions.get(SESSION)
        assert found is not None
        return found

    @property
    def sheet(self) -> str:
        return self.session.sheets[0].name

    def versions(self) -> list[Version]:
        """Return all versions, oldest first."""
        return list(self.sessions.versions(SESSION, limit=100))[::-1]

    def workbook(self) -> Workbook:
        return self.publishing.open(self.session)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def new_job(self, text: str = "What is in it?", **fields: Any) -> Job:
        """Return a chat job that is the session's active job, and store its question."""
        job = a_job(pipeline="sheet_chat", input={"text": text}, links=JobLinks(session_id=SESSION), **fields)
        self.core.jobs.put_new(job)
        question = self.message(job.id, "user", text)
        self.change(active_job_id=job.id, messages=(question,))
        return job

    def prepare(self, job: Job) -> dict[str, Any]:
        """Run the first stage and return what it prepared."""
        self.core.run(PrepareMessage(self.services), job)
        ref = self.core.job(job.id).checkpoints["prepare_message"]
        prepared: dict[str, Any] = self.core.checkpoints.get(job.id, "prepare_message", ref).output
        return prepared

    def answer(self, job: Job, model: ChatModel, *, retry: int = 0, budget: Budget | None = None) -> dict[str, Any]:
        """Run an attempt of the second stage and return the answer."""
        stage = AnswerMessage(model, self.services, budget or Budget(turns=24, calls=60))
        self.core.run(stage, job, retry=retry)
        ref = self.core.job(job.id).checkpoints["answer_message"]
        answered: dict[str, Any] = self.core.checkpoints.get(job.id, "answer_message", ref).output
        return answered

    def converse(self, *turns: Sequence[ToolCall], text: str = "Do it.") -> list[dict[str, Any]]:
        """Run a whole job whose model makes these calls, one list a turn, and return the results of all calls."""
        asking: list[tuple[str, *tuple[ToolCall, ...]]] = [("", *calls) for calls in turns]
        model = CallingModel(*asking, ("Done.",))
        job = self.new_job(text)
        self.prepare(job)
        self.answer(job, model)
        return [json.loads(each.text) for each in model.requests[-1].messages if each.role == "tool"]

    @staticmethod
    def message(job_id: str, role: Any, text: str) -> ChatMessage:
        return ChatMessage(
            session_id=SESSION, id=message_id(job_id, role), role=role, text=text, job_id=job_id, created_at=NOON
        )

    # ---- the session -------------------------------------------------------------------------------------------------

    def change(self, *, messages: tuple[ChatMessage, ...] = (), **fields: Any) -> None:
        """Change fields of the session."""
        before = self.session
        after = before.model_copy(update={**fields, "seq": before.seq + 1})
        event = StateChanged(state=after.state)
        self.sessions.save(SessionChange(before, after, (event,), messages=messages))

    def edit(self, at: str, value: Any) -> Version:
        """Publish the edit of a person."""
        session = self.session
        workbook = self.publishing.open(session)
        ops = (WriteCells(sheet=self.sheet, cells=(CellWrite(at=at, value=value),)),)
        change = Change(ops=ops, by="user", title=f"Edit {at}")
        published = self.publishing.publish(session, workbook, workbook.apply(ops), change)
        published.workbook.close()
        return published.version

    def _load(self, folder: Path, content: str | bytes) -> None:
        kind = FileFormat.CSV if isinstance(content, str) else FileFormat.XLSX
        file = folder / f"sales.{kind}"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        workbook, report = self.engine.load(file, kind)
        new = Session(
            id=SESSION,
            owner="ada",
            title="Sales",
            source=Source(key="k", name=file.name, bytes=len(content), format=kind),
            inventory=Inventory(mode="computed", judged=report.judged),
            created_at=NOON,
            updated_at=NOON - timedelta(seconds=1),
        )
        self.sessions.save(SessionChange(None, new, ()))
        publication = self.publishing.load(new, workbook, title="Load sales.csv")
        workbook.close()
        self.sessions.save(publication.change_of(new))
        assert self.session.state is SessionState.ACTIVE
