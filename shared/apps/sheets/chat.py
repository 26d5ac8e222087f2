"""Run the stages of the `sheet_chat` pipeline."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.apps.sheets.models import SheetAnswer, SheetChatInput
from shared.apps.sheets.moves import Request
from shared.apps.sheets.prompts import conversation
from shared.apps.sheets.session import Inventory, Session
from shared.apps.sheets.session_id import message_id
from shared.apps.sheets.session_store import DataGone, SessionStore
from shared.apps.sheets.tools.describe_workbook import describe_sheets
from shared.apps.sheets.tools.toolbox import TOOLBOX
from shared.apps.sheets.workbook import SnapshotUnreadable, Workbook
from shared.apps.sheets.workspace import SheetServices, SheetWorkspace
from shared.errors import Conflict, DataLost, InvalidModelOutput, JobEnded
from shared.llm.model import ChatModel
from shared.stages.stage import StageContext
from shared.tools.budget import Budget
from shared.tools.loop import Answer, ToolLoop
from shared.tools.turn import PREFIX, Turn

BUDGET = Budget(turns=24, calls=60, seconds=540)
"""Fewer seconds than the function has, so that the model can still write its last answer."""

MOST_HISTORY = 20
"""How many earlier messages of the conversation the model gets."""

MOST_HISTORY_BYTES = 16_000
MOST_DIGEST_BYTES = 5_200

PREPARED = 5.0
"""Progress in percent before the model is asked."""

PROGRESS_OF_ANSWER = 90.0
"""Progress in percent when the model has given its answer."""


class PrepareMessage:
    """Check the session, and gather what the model must know: the conversation so far, and what the workbook is."""

    name = "prepare_message"

    def __init__(self, services: SheetServices) -> None:
        self._services = services

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the version that the job begins with, the history, and the description of the workbook.

        Raises DataLost if the session has no valid workbook, before any token is spent.
        """
        prepared = await asyncio.to_thread(self._prepare, context.job.id, str(context.job.links.session_id))
        selection = _input_of(context).selection
        context.output.report_progress(PREPARED)
        return {**prepared, "selection": None if selection is None else selection.model_dump(mode="json")}

    def _prepare(self, job_id: str, session_id: str) -> dict[str, Any]:
        session = self._services.sessions.get(session_id)
        if session is None:
            raise JobEnded("the session was deleted")
        workbook = self._opened(session)
        try:
            digest = _digest(session, workbook)
        finally:
            workbook.close()
        history = history_of(self._services.sessions, session_id, before=message_id(job_id, "user"))
        return {"sessionId": session_id, "version": session.version, "workbook": digest, "history": history}

    def _opened(self, session: Session) -> Workbook:
        try:
            self._services.health.refuse_unless_valid(session, Request.ASK)
            return self._services.publishing.open(session)
        except Conflict as conflict:
            raise DataLost(conflict.message, code=conflict.code) from conflict
        except (DataGone, SnapshotUnreadable) as error:
            lost = self._services.health.lost(session, unreadable=isinstance(error, SnapshotUnreadable))
            raise DataLost(lost.message, code=lost.code) from error


class AnswerMessage:
    """Let the model call tools until it answers, and stream its text."""

    name = "answer_message"

    def __init__(self, model: ChatModel, services: SheetServices, budget: Budget = BUDGET) -> None:
        self._model = model
        self._services = services
        self._budget = budget

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the answer and the versions that it made. A limit that stops the work is no fault.

        Raises:
            InvalidModelOutput: the model neither answers nor changes anything.
            DataLost: the workbook's data was lost meanwhile.
            The model's faults.
        """
        assert context.previous is not None  # noqa: S101 - not the first stage
        prepared = context.previous.output
        workspace = SheetWorkspace(
            self._services, session_id=prepared["sessionId"], guard=context.guard, base=prepared["version"]
        )
        workspace.begin()
        try:
            loop = ToolLoop(self._model, TOOLBOX, workspace, context, budget=self._budget)
            messages = conversation(
                _input_of(context).text,
                workbook=prepared["workbook"],
                history=prepared["history"],
                selection=prepared["selection"],
            )
            answer = await loop.run(messages)
        finally:
            await workspace.close()
        if workspace.lost is not None:
            raise workspace.lost
        context.output.report_progress(PROGRESS_OF_ANSWER)
        return _answer_of(context, answer).model_dump(mode="json")


def history_of(sessions: SessionStore, session_id: str, *, before: str) -> list[dict[str, str]]:
    """Return the messages before this one, oldest first: at most 20, and 16 kB of text, the newest of them."""
    kept: list[dict[str, str]] = []
    left = MOST_HISTORY_BYTES
    for message in sessions.messages(session_id, limit=MOST_HISTORY, before=before):
        left -= len(message.text.encode())
        if left < 0:
            break
        if message.text.strip():
            kept.append({"role": message.role, "text": message.text})
    return kept[::-1]


def _digest(session: Session, workbook: Workbook) -> dict[str, Any]:
    """Return what the workbook is, in at most 6 kB of JSON."""
    data, cut = describe_sheets(workbook, MOST_DIGEST_BYTES, full=len(workbook.sheets) <= 3)
    digest: dict[str, Any] = {"title": session.title, **data, **_inventory(session.inventory)}
    if cut:
        digest["more"] = "call describe_workbook with a sheet to see all of its columns"
    return digest


def _inventory(inventory: Inventory) -> dict[str, Any]:
    """Return what the file has besides cells, and what the engine could not compute, if anything."""
    found: dict[str, Any] = {name: count for name, count in inventory.parts.items() if count}
    known: dict[str, Any] = {"parts": found} if found else {}
    if inventory.frozen:
        known["frozenFormulas"] = inventory.frozen
    if inventory.parts.get("structureProtections"):
        known["structure"] = "protected: the file asks that its sheets are not added, renamed, moved or deleted"
    if inventory.mode == "values":
        known["formulas"] = "none is computed: the file could be read as values only"
    return known


def _answer_of(context: StageContext, answer: Answer) -> SheetAnswer:
    turns = [Turn.model_validate(data) for key, data in context.items.items() if key.startswith(PREFIX)]
    made = {each.version: each.summary for turn in turns for each in turn.results if each.ok and each.version}
    text = answer.text.strip() or "\n".join(made.values())
    if not text:
        raise InvalidModelOutput("the model ended the conversation without an answer")
    versions = tuple(sorted(version for version in made if version is not None))
    return SheetAnswer(text=text, outcome="stopped" if answer.stopped else "completed", versions=versions)


def _input_of(context: StageContext) -> SheetChatInput:
    assert isinstance(context.input, SheetChatInput)  # noqa: S101 - the pipeline's input model
    return context.input
