"""A job of the haiku pipeline, over HTTP."""

from __future__ import annotations

from tests.api_user import AT_ONCE, ApiUser, broken_rules, data_of


def test_a_job_streams_and_ends_with_three_lines(user: ApiUser) -> None:
    body = {"pipeline": "haiku", "input": {"topic": f"rivers [[script: {AT_ONCE}]]"}}
    job_id = data_of(user.api.post("/jobs", json=body), 202)["jobId"]

    events = user.watch(job_id)

    assert events[-1].type == "complete"
    assert len(events[-1].data["result"]["lines"]) == 3


def test_a_topic_is_required(user: ApiUser) -> None:
    refused = user.api.post("/jobs", json={"pipeline": "haiku", "input": {}})

    assert broken_rules(refused).keys() == {"input.topic"}
