"""For each event of sheet chat: the data it needs and the expected response."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from tests.apps.sheets.requests import upload
from tests.contract.answers import (
    JOB,
    Answers,
    Invoker,
    Place,
    after,
    ask,
    data,
    done,
    lists,
    names,
    nothing,
    shows,
)
from tests.contract.build_output import event

SESSION = "ses_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The session that the events name."""


def a_session(invoker: Invoker) -> Place:
    """Create a session and upload its file."""
    request = event("create_session.valid")
    request["headers"]["idempotency-key"] = str(uuid.uuid4())
    session = data(invoker.invoke("create_session", request), 201)
    assert upload(session).status_code == 200
    return {SESSION: session["sessionId"]}


def a_load(invoker: Invoker) -> Place:
    """Create a session and the job that loads its file."""
    place = a_session(invoker)
    return {**place, JOB: data(ask(invoker, "load_session.valid", place), 202)["jobId"]}


def a_load_after(*stages: str) -> Callable[[Invoker], Place]:
    """Create a session whose load has finished these stages."""
    return lambda invoker: after(invoker, a_load(invoker), stages)


def an_active_session(invoker: Invoker) -> Place:
    """Create a session whose file is loaded."""
    return after(invoker, a_load(invoker), ("inspect_workbook", "load_workbook", "complete_job"))


def an_edited_session(invoker: Invoker) -> Place:
    """Create a session whose file is loaded, and edit its cells."""
    place = an_active_session(invoker)
    data(ask(invoker, "edit_cells.valid", place))
    return place


def an_undone_session(invoker: Invoker) -> Place:
    """Create a session with a change that is undone."""
    place = an_edited_session(invoker)
    data(ask(invoker, "undo_change.valid", place))
    return place


def an_export(invoker: Invoker) -> Place:
    """Create a session and the job that exports its workbook."""
    place = an_active_session(invoker)
    return {**place, JOB: data(ask(invoker, "create_export.valid", place), 202)["jobId"]}


def has_the_file(answer: Any, _: Place) -> None:
    assert data(answer)["rows"] == [["region", "amount"], ["North", 120.5], ["South", 80], ["North", 99.5]]


def is_version(number: int) -> Callable[[Any, Place], None]:
    """Return the check of a response with this version."""

    def check(answer: Any, _: Place) -> None:
        assert data(answer)["version"] == number

    return check


def a_message(invoker: Invoker) -> Place:
    """Create an active session and the job that answers a message."""
    place = an_active_session(invoker)
    return {**place, JOB: data(ask(invoker, "create_message.valid", place), 202)["jobId"]}


def a_message_after(*stages: str) -> Callable[[Invoker], Place]:
    """Create an active session and a message whose job has finished these stages."""
    return lambda invoker: after(invoker, a_message(invoker), stages)


def a_broken_session(invoker: Invoker) -> Place:
    """Create a session whose load was cancelled."""
    place = a_load(invoker)
    data(ask(invoker, "cancel_job.valid", place))
    return place


def says_what_was_swept(answer: Any, _: Place) -> None:
    assert answer.keys() == {"lookedAt", "givenUp", "removed", "thinned", "purged", "finished"}, answer


ANSWERS: Answers = {
    "create_session.valid": (nothing, names("sessionId", 201)),
    "list_sessions.valid": (a_session, lists("sessions", "sessionId", SESSION)),
    "get_session.valid": (an_active_session, shows("sessionId", SESSION)),
    "create_upload_url.valid": (a_session, shows("sessionId", SESSION, 201)),
    "load_session.valid": (a_session, names("jobId", 202)),
    "recover_session.valid": (a_broken_session, names("job", 202)),
    "close_session.valid": (a_session, shows("sessionId", SESSION)),
    "delete_session.valid": (a_session, shows("sessionId", SESSION)),
    "list_messages.valid": (a_session, lambda answer, _: data(answer)["messages"]),
    "get_cells.valid": (an_active_session, has_the_file),
    "edit_cells.valid": (an_active_session, is_version(2)),
    "undo_change.valid": (an_edited_session, is_version(3)),
    "redo_change.valid": (an_undone_session, is_version(4)),
    "list_versions.valid": (an_edited_session, lambda answer, _: data(answer)["versions"]),
    "create_export.valid": (an_active_session, names("jobId", 202)),
    "export_workbook.first_attempt": (an_export, done("export_workbook")),
    "export_workbook.retry": (an_export, done("export_workbook")),
    "inspect_workbook.first_attempt": (a_load, done("inspect_workbook")),
    "inspect_workbook.retry": (a_load, done("inspect_workbook")),
    "load_workbook.first_attempt": (a_load_after("inspect_workbook"), done("load_workbook")),
    "load_workbook.retry": (a_load_after("inspect_workbook"), done("load_workbook")),
    "create_message.valid": (an_active_session, names("jobId", 202)),
    "prepare_message.first_attempt": (a_message, done("prepare_message")),
    "prepare_message.retry": (a_message, done("prepare_message")),
    "answer_message.first_attempt": (a_message_after("prepare_message"), done("answer_message")),
    "answer_message.retry": (a_message_after("prepare_message"), done("answer_message")),
    "sweep_sessions.scheduled": (nothing, says_what_was_swept),
}
