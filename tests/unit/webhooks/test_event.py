"""What an event says, and that its id and bytes are always those of its transition."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import ErrorCode
from shared.jobs.job import Fault, JobLinks, JobStatus
from shared.log.usage import TokenUsage
from shared.webhooks.delivery import DELIVERY_ID, delivery_id, first_id_at
from shared.webhooks.event import MOST_RESULT_BYTES, event_of, id_of, sequence_of, type_of, with_result
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.unit.webhooks.world import a_transition

API = "https://api.example"
JOB_ID = "job_a01m7ybm0ew4zx1dhbed1n7hc51"

LIFE: list[tuple[JobStatus | None, JobStatus, int, str, str]] = [
    (None, JobStatus.PENDING, 1, "job.created", "evt_01m7ybm0ew4zx1dhbed1n7hc51_1_pending"),
    (JobStatus.PENDING, JobStatus.IN_PROGRESS, 1, "job.started", "evt_01m7ybm0ew4zx1dhbed1n7hc51_1_in_progress"),
    (JobStatus.IN_PROGRESS, JobStatus.FAILED, 1, "job.failed", "evt_01m7ybm0ew4zx1dhbed1n7hc51_1_failed"),
    (JobStatus.FAILED, JobStatus.PENDING, 2, "job.resumed", "evt_01m7ybm0ew4zx1dhbed1n7hc51_2_pending"),
    (JobStatus.PENDING, JobStatus.CANCELLED, 2, "job.cancelled", "evt_01m7ybm0ew4zx1dhbed1n7hc51_2_cancelled"),
    (JobStatus.CANCELLED, JobStatus.PENDING, 3, "job.resumed", "evt_01m7ybm0ew4zx1dhbed1n7hc51_3_pending"),
    (JobStatus.IN_PROGRESS, JobStatus.COMPLETED, 3, "job.completed", "evt_01m7ybm0ew4zx1dhbed1n7hc51_3_completed"),
]


def body_of(transition: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(event_of(transition, api_url=API).body())
    return body


def test_each_change_of_a_life_has_its_type_its_id_and_a_higher_sequence() -> None:
    sequences = []
    for before, status, generation, kind, event_id in LIFE:
        transition = a_transition(status, before=before, job=a_job(JOB_ID, generation=generation))
        assert (type_of(transition), id_of(transition)) == (kind, event_id)
        sequences.append(sequence_of(transition.job))
    assert sequences == sorted(set(sequences))


def test_an_event_says_what_the_job_is_and_neither_its_input_nor_its_output() -> None:
    fault = Fault(code=ErrorCode.MODEL_REFUSED, message="the model declined", stack_trace="secret lines")
    job = a_job(
        JOB_ID,
        input={"topic": "a secret topic"},
        links=JobLinks(session_id="ses_1"),
        usage=TokenUsage(input_tokens=7, output_tokens=8, cost_usd=0.5),
        stage="draft",
        attempt=2,
        generation=2,
        failure=fault,
        ended_at=NOON,
    )
    transition = a_transition(JobStatus.FAILED, job=job)
    body = body_of(transition)
    assert body == {
        "type": "job.failed",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {
            "jobId": JOB_ID,
            "pipeline": "poem",
            "status": "failed",
            "stage": "draft",
            "attempt": 2,
            "generation": 2,
            "sequence": 6,
            "links": {"sessionId": "ses_1", "runId": None, "projectId": None},
            "usage": job.usage.model_dump(mode="json"),
            "failure": {"code": "MODEL_REFUSED", "message": "the model declined"},
            "createdAt": "2026-03-01T12:00:00Z",
            "endedAt": "2026-03-01T12:00:00Z",
            "url": f"https://api.example/jobs/{JOB_ID}",
        },
    }
    assert "secret" not in json.dumps(body)


@pytest.mark.parametrize(
    ("result", "result_in_body", "left_out"),
    [
        ({"lines": ["für alle"]}, {"lines": ["für alle"]}, None),
        ({"lines": "x" * (MOST_RESULT_BYTES - 12)}, {"lines": "x" * (MOST_RESULT_BYTES - 12)}, None),
        ({"lines": "x" * (MOST_RESULT_BYTES - 11)}, None, "too_large"),
        ({"lines": "ü" * (MOST_RESULT_BYTES // 2)}, None, "too_large"),
        (None, None, "not_stored"),
    ],
)
def test_a_result_of_at_most_16_kb_is_in_the_event_and_else_the_reason(
    result: dict[str, Any] | None, result_in_body: dict[str, Any] | None, left_out: str | None
) -> None:
    data = json.loads(with_result(event_of(a_transition(), api_url=API), result).body())["data"]
    assert (data.get("result"), data.get("resultLeftOut")) == (result_in_body, left_out)


def test_the_id_of_a_delivery_depends_on_its_event_and_endpoint_and_sorts_by_time() -> None:
    made = delivery_id("whk_1", "evt_1", NOON)
    assert DELIVERY_ID.fullmatch(made)
    assert made == delivery_id("whk_1", "evt_1", NOON)
    assert len({made, delivery_id("whk_2", "evt_1", NOON), delivery_id("whk_1", "evt_2", NOON)}) == 3
    millisecond = timedelta(milliseconds=1)
    assert (
        first_id_at(NOON) <= made < first_id_at(NOON + millisecond) <= delivery_id("whk_0", "evt_0", NOON + millisecond)
    )
