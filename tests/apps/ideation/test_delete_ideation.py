"""DELETE /ideations/{runId}: the run, its job and its model call end."""

from __future__ import annotations

from local.model.control import ModelControl
from tests.api_user import ApiUser, data_of, refusal, wait_until
from tests.apps.ideation.requests import finished_run, new_run


def test_deleting_a_run_also_deletes_its_job(user: ApiUser) -> None:
    run = finished_run(user)
    job_id = run["transform"]["jobId"]

    assert data_of(user.api.delete(f"/ideations/{run['runId']}")) == {"runId": run["runId"]}

    for path in ("", "/active-job", "/lineage"):
        refusal(user.api.get(f"/ideations/{run['runId']}{path}"), 404, "NOT_FOUND")
    refusal(user.api.delete(f"/ideations/{run['runId']}"), 404, "NOT_FOUND")
    refusal(user.api.get(f"/jobs/{job_id}"), 404, "NOT_FOUND")
    assert data_of(user.api.get("/ideations"))["runs"] == []
    database = user.stack.client("dynamodb")
    stored = database.query(
        TableName="millrace-DurableTable",
        KeyConditionExpression="PK = :run",
        ExpressionAttributeValues={":run": {"S": f"RUN#{run['runId']}"}},
        ConsistentRead=True,
    )
    assert [item["SK"]["S"] for item in stored["Items"]] == ["DELETED"]
    # A page has at most 1 MB, which the jobs of other tests may fill.
    pages = database.get_paginator("scan").paginate(TableName="millrace-JobsTable", ConsistentRead=True)
    jobs = [item for page in pages for item in page["Items"]]
    left = [item for item in jobs if job_id in str(item["PK"]) or job_id in str(item.get("jobId"))]
    assert {item["SK"]["S"].split("#")[0] for item in left} == {"ERASED", "EVT", "SNAP"}
    assert not [idea["title"] for idea in run["ideas"] if idea["title"] in str(left)]


def test_deleting_a_running_run_ends_its_model_call(user: ApiUser, model: ModelControl) -> None:
    created = new_run(user, "token_ms=5, hang_after=100", ideaCount=1)
    job = wait_until(lambda: (found := user.job(created["jobId"]))["text"] and found)

    data_of(user.api.delete(f"/ideations/{created['runId']}"))

    asked = job["input"]["requirements"]
    wait_until(
        lambda: [
            request
            for request in model.requests()
            if asked in request["messages"][-1]["content"] and request["ended"] == "client_disconnected"
        ]
    )
    refusal(user.api.get(f"/jobs/{created['jobId']}"), 404, "NOT_FOUND")
