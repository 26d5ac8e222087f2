"""Jobs of the research pipeline, over HTTP and SSE: with the scripted model, with aimock, and killed within a turn."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.model.control import ModelControl
from shared.log.events import Snapshot, parse_stream_event
from shared.log.transcript import Transcript
from tests.api_user import AT_ONCE, ApiUser, Event, broken_rules, data_of, refusal, wait_until
from tests.apps.research.model_relay import ModelRelay
from tests.llm.aimock import aimock_with

QUESTION = "Why are the worst floods in March?"
FIXTURES = Path(__file__).parent / "aimock.json"
TURNS = 4
"""The scripted model's turns: search, read, note, answer."""


def create(user: ApiUser, question: str, **fields: Any) -> str:
    body = {"pipeline": "research", "input": {"question": question, **fields}}
    return str(data_of(user.api.post("/jobs", json=body), 202)["jobId"])


def a_question(directive: str = AT_ONCE) -> str:
    return f"{QUESTION} {uuid.uuid4().hex} [[script: {directive}]]"


def folded(events: list[Event], start: Transcript | None = None) -> dict[str, Any]:
    """Return what a watcher shows after these events, with the names of `GET /jobs/{jobId}`."""
    transcript = start or Transcript()
    for event in events:
        if event.id is not None:
            transcript.apply(event.id, parse_stream_event(json.dumps(event.data)))
    return shown(transcript)


def shown(transcript: Transcript) -> dict[str, Any]:
    state = transcript.as_snapshot().model_dump(mode="json", exclude={"type"})
    return {**state, "lastEventId": transcript.seq}


def shown_by(job: dict[str, Any]) -> dict[str, Any]:
    return {name: job[name] for name in ("text", "items", "subtasks", "stage", "progress", "lastEventId")}


def of_type(events: list[Event], name: str) -> list[dict[str, Any]]:
    return [event.data for event in events if event.type == name]


def test_a_job_calls_its_tools_sees_the_chart_and_answers(user: ApiUser, model: ModelControl) -> None:
    question = a_question()
    job_id = create(user, question)

    events = user.watch(job_id)

    result = events[-1].data["result"]
    assert events[-1].type == "complete"
    assert "I see the chart: PNG, 240 x 120 pixels" in result["answer"]
    assert [each["passageId"] for each in result["findings"]] == ["flood_diary-2", "flood_diary-5"]
    assert [each["finding"] for each in of_type(events, "finding")] == result["findings"]
    assert len(result["sources"]) == 3
    assert len(calls_about(model, question)) == TURNS
    read = [each["title"] for each in of_type(events, "subtask") if each["status"] == "finished"]
    assert sorted(read) == sorted(result["sources"])
    assert folded(events) == shown_by(user.job(job_id))


def calls_about(model: ModelControl, question: str) -> list[dict[str, Any]]:
    """Return the calls of the report, not those of the parts."""
    return [each for each in model.requests() if each["tools"] and question in str(each["messages"])]


@pytest.mark.parametrize(
    ("held", "executed", "calls", "what"),
    [
        ("turn-03", False, TURNS + 1, "asked for, and not kept"),
        ("turn-03", True, TURNS, "kept, and none of its calls run"),
        ("finding-turn-03-call-2", False, TURNS, "one of its calls run"),
        ("finding-turn-03-call-2", True, TURNS, "run, and not kept with its results"),
    ],
)
def test_kill_9_within_a_turn_repeats_no_kept_turn_and_no_effect(
    user: ApiUser, model: ModelControl, held: str, executed: bool, calls: int, what: str
) -> None:
    events = killed_at(user, model, "PutItem", held, executed=executed, calls=calls)

    assert of_type(events, "reset")[0]["reason"] == "WORKER_LOST", what


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(
    "held",
    [
        pytest.param(("checkpoints", "write_report"), id="checkpoint"),
        pytest.param(('"completed"',), id="completion"),
    ],
)
def test_kill_9_at_the_end_of_the_stage_or_the_job_repeats_nothing(
    user: ApiUser, model: ModelControl, held: tuple[str, ...], executed: bool
) -> None:
    killed_at(user, model, "UpdateItem", *held, executed=executed, calls=TURNS)


def killed_at(
    user: ApiUser, model: ModelControl, operation: str, *held: str, executed: bool, calls: int
) -> list[Event]:
    """Kill the attempt at this call of DynamoDB, and return the events; `calls` are the model calls of the report.

    `make chaos ARGS=--every-point` does this at every call.
    """
    question = a_question()
    with user.stack.holding(operation, *held, executed=executed) as is_held:
        job_id = create(user, question)
        wait_until(is_held)
        os.kill(user.attempt_of(job_id)["pid"], signal.SIGKILL)

    events = user.watch(job_id)

    assert events[-1].type == "complete"
    assert len(calls_about(model, question)) == calls
    result = events[-1].data["result"]
    assert [each["number"] for each in result["findings"]] == [1, 2]
    assert [each["finding"] for each in of_type(events, "finding")] == result["findings"]
    assert folded(events) == shown_by(user.job(job_id))
    return events


def test_a_job_that_is_read_at_any_event_equals_the_whole_with_the_rest_of_its_stream(user: ApiUser) -> None:
    job_id = create(user, a_question("token_ms=10, first_token_ms=20, timestamps, tokens=60"))
    events: list[Event] = []
    reads: list[tuple[bool, dict[str, Any]]] = []
    with user.stream(job_id) as source:
        for sent in source.iter_sse():
            events.append(Event.of(sent))
            job = user.job(job_id)
            reads.append((job["status"] == "completed", shown_by(job)))

    whole = folded(events)
    for completed, read in reads:
        at = read.pop("lastEventId")
        earlier, rest = (
            [event for event in events if event.id is not None and (event.id <= at) is until] for until in (True, False)
        )
        if earlier:  # before the first event the job's own record says which stage begins
            # A completed job's progress is 100, also before its last events can be read.
            progress = {"progress": 100} if completed else {}
            assert {**folded(earlier), **progress} == {**read, "lastEventId": at}
        joined = Transcript()
        joined.apply(at, Snapshot.model_validate(read))
        assert folded(rest, joined) == whole


def test_an_agent_uses_only_its_allowed_tools(user: ApiUser) -> None:
    agent_id = user.new_agent(allowedTools=["search_library", "read_passage"])
    plan = '[[tools: add_finding {"claim": "It snowed.", "passageId": "flood_diary-2"}]]'
    job_id = create(user, f"{a_question()} {plan}", agentId=agent_id)

    events = user.watch(job_id)

    result = events[-1].data["result"]
    assert result["findings"] == []
    assert "this agent may not use the tool add_finding" in result["answer"]
    assert of_type(events, "tool")[-1]["detail"]["error"]["code"] == "NOT_ALLOWED"


def test_a_job_works_with_the_model_server_of_another_project(user: ApiUser, relay: ModelRelay) -> None:
    with aimock_with(FIXTURES) as url, relay.to(url):
        events = user.watch(create(user, "Which flood was the highest?"))

    assert events[-1].type == "complete"
    assert events[-1].data["result"]["answer"] == "The flood of March 1867 [flood_diary-2]."
    assert [each["number"] for each in events[-1].data["result"]["findings"]] == [1]
    assert [each["status"] for each in of_type(events, "tool") if each["status"] != "started"] == [
        "finished",
        "finished",
        "failed",
        "finished",
    ]


def test_a_notebook_lists_the_jobs_that_are_linked_to_it(user: ApiUser, new_user: Callable[[], ApiUser]) -> None:
    notebook_id = data_of(user.api.post("/notebooks", json={"title": "Floods"}), 201)["notebookId"]
    path = f"/notebooks/{notebook_id}"
    question = a_question()
    body = {"pipeline": "research", "input": {"question": question}, "links": {"projectId": notebook_id}}
    job_id = data_of(user.api.post("/jobs", json=body), 202)["jobId"]
    (entry,) = data_of(user.api.get(path))["entries"]
    assert (entry["jobId"], entry["question"]) == (job_id, question)

    user.watch(job_id)

    wait_until(lambda: data_of(user.api.get(path))["entries"][0]["status"] == "completed")
    assert data_of(user.api.get(path))["jobs"] == 1
    other = new_user()
    refusal(other.api.get(path), 403, "FORBIDDEN")
    assert broken_rules(other.api.post("/jobs", json=body)).keys() == {"links.projectId"}


def test_a_question_is_required(user: ApiUser) -> None:
    refused = user.api.post("/jobs", json={"pipeline": "research", "input": {"sourceCount": 9}})

    assert broken_rules(refused).keys() == {"input.question", "input.sourceCount"}
