"""Every way in which the chat about a workbook, and the core for its jobs, use AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

from local.model.tokens import split_tokens
from tests.api_user import data_of, refusal
from tests.apps.sheets.requests import active_session, get_session
from tests.permissions.world import World, wide

TURNS = 12
"""The number of turns, each with the longest text possible, whose log is compacted."""


def use_chat(world: World, agent_id: str) -> None:
    """Let messages be answered, fail, be stopped and lost, and meet data that is gone."""
    session_id = str(active_session(world.user)["sessionId"])
    _long_answer(world, session_id, agent_id)
    _answers_that_end_early(world, session_id)
    _messages_that_do_not_start(world, session_id)
    _data_that_is_gone(world)
    _sessions_that_end(world)


def _ask(world: World, session_id: str, text: str, **fields: str) -> str:
    body = {"text": text, **fields}
    return str(data_of(world.post(f"/sessions/{session_id}/messages", body), 202)["jobId"])


def _long_answer(world: World, session_id: str, agent_id: str) -> None:
    """Answer in many long turns, at the second attempt; then change the workbook, and call its stages again."""
    mark = uuid.uuid4().hex
    calls = "; ".join(["describe_workbook"] * TURNS)
    output = wide(9_000)
    for _ in range(TURNS):
        world.says(mark, text=output, token_ms=5)
    world.says(mark, text=output, error_after=len(split_tokens(output)) - 1)
    job_id = _ask(world, session_id, f"{mark} [[tools: {calls}]]", agentId=agent_id)
    assert world.user.ended(job_id)["status"] == "completed"
    world.get(f"/sessions/{session_id}/messages")
    world.model.clear()
    changed = _ask(world, session_id, "add a column Gross = amount * 2;")
    assert world.user.ended(changed)["result"]["versions"]
    ended = json.dumps({"jobId": changed, "generation": 1, "retry": 1}).encode()  # a retry reads the job first
    for stage in ("prepare_message", "answer_message"):
        world.stack.client("lambda").invoke(FunctionName=f"millrace-{stage}", Payload=ended)


def _answers_that_end_early(world: World, session_id: str) -> None:
    """Let one fail, cancel and resume one, lose the execution of one, and sweep one."""
    failed = _ask(world, session_id, "read A1 [[script: content_filter]]")
    assert world.user.ended(failed)["status"] == "failed"
    waiting = _ask(world, session_id, "read A1 [[script: hang_after=0]]")
    world.wait_for_start(waiting)
    assert world.user.cancel(waiting).status_code == 200
    data_of(world.user.api.post(f"/jobs/{waiting}/resume"), 202)
    world.wait_for_start(waiting)
    assert world.user.cancel(waiting).status_code == 200
    lost = _ask(world, session_id, "read A1 [[script: hang_after=0]]")
    world.wait_for_start(lost)
    world.execution_ended(lost)
    swept = _ask(world, session_id, "read A1 [[script: hang_after=0]]")
    world.wait_for_start(swept)
    world.sweep_stopped(swept)


def _sessions_that_end(world: World) -> None:
    """Close one session and delete one while a message is being answered."""
    for end in ("close", "delete"):
        session_id = str(active_session(world.user)["sessionId"])
        world.wait_for_start(_ask(world, session_id, "read A1 [[script: hang_after=0]]"))
        path = f"/sessions/{session_id}"
        data_of(world.user.api.post(f"{path}/close") if end == "close" else world.user.api.delete(path))


def _messages_that_do_not_start(world: World, session_id: str) -> None:
    body = {"text": "What is in it?", "agentId": "agt_01jd8x2v5n7k3q9w4t6y8z0abc"}
    refusal(world.post(f"/sessions/{session_id}/messages", body), 422, "VALIDATION_FAILED")
    with world.without_state_machines():
        refusal(world.post(f"/sessions/{session_id}/messages", {"text": "x"}), 503, "EXECUTION_NOT_STARTED")
    job: dict[str, Any] = {"pipeline": "sheet_chat", "input": {"text": "read A1"}, "links": {"sessionId": session_id}}
    job_id = data_of(world.post("/jobs", job), 202)["jobId"]
    assert world.user.ended(job_id)["status"] == "completed"


def _data_that_is_gone(world: World) -> None:
    """Let each stage, and the creation of a message, meet a session whose data is gone."""
    for stage in ("create_message", "prepare_message", "answer_message"):
        session_id = str(active_session(world.user)["sessionId"])
        with world.idle_state_machines():
            job_id = "" if stage == "create_message" else _ask(world, session_id, "What is in it?")
            if stage == "answer_message":
                world.invoke("prepare_message", jobId=job_id, generation=1, retry=0)
            _remove_models(world, session_id)
            if stage == "create_message":
                path = f"/sessions/{session_id}/messages"
                refusal(world.user.api.post(path, json={"text": "x"}), 409, "DATA_GONE")
                continue
            payload = json.dumps({"jobId": job_id, "generation": 1, "retry": 0}).encode()
            answer = world.stack.client("lambda").invoke(FunctionName=f"millrace-{stage}", Payload=payload)
            assert "DataLost" in answer["Payload"].read().decode()
        assert get_session(world.user, session_id)["state"] == "ERROR"


def _remove_models(world: World, session_id: str) -> None:
    storage = world.stack.client("s3")
    bucket = storage.list_buckets()["Buckets"][0]["Name"]
    prefix = f"sheets/{session_id}/models/"
    for found in storage.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        storage.delete_object(Bucket=bucket, Key=found["Key"])
