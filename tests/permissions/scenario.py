"""Take every function through every path on which it uses AWS, large artefacts, faults and repetitions included."""

from __future__ import annotations

import json
import uuid

from local.aws.iam import grants_of, role_of
from local.model.control import ModelControl
from local.stack import ROOT, LocalStack
from local.template.template import Template
from tests.api_user import DISCARDING_URL, ApiUser, data_of, refusal, wait_until
from tests.applications import modules
from tests.apps.ideation.requests import RUN
from tests.apps.suggestions.requests import FIELDS
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT
from tests.permissions.archive import use_archive
from tests.permissions.channel import opened_connection, subscribe, use_channel, with_announcements
from tests.permissions.deliveries import be_told_of_results, use_deliveries
from tests.permissions.world import JOBS_TABLE, World
from tools.infra.functions import camel

ENVIRONMENT = {
    "JOB_CREATIONS_PER_MINUTE": "1000",
    "WRITES_PER_MINUTE": "1000",
    # These compact logs several times: for their bytes, and in the stage after a long one for their events.
    "LOG_MAX_BYTES": "60000",
    "LOG_MAX_EVENTS": "20",
    "ERASURE_SETTLE_SECONDS": "1",
    "JOB_RETENTION_SECONDS": "86400",  # later steps use jobs that earlier ones have completed
    **WITHOUT_TOKEN_TIMEOUT,
}
ERASING = ("DeleteJobFunctionRole", "EraseOwnerDataFunctionRole")
"""The roles of functions that cancel and erase jobs of any pipeline."""
NO_PIPELINES = ("EraseOwnerStateMachineRole",)
"""The roles of state machines whose functions are no stages."""
RUNNER_ACTS = ("GetItem", "PutItem", "Query", "UpdateItem")


def use_everything(world: World, application: str | None = None) -> None:
    """Use the core's operations on agents, and between them what `tests/apps/<app>/permissions.py` uses.

    `application` limits it to one application.
    """
    agent_id = world.user.new_agent()
    world.get(f"/agents/{agent_id}")
    world.get("/agents")
    data_of(world.user.api.patch(f"/agents/{agent_id}", json={"version": 1, "name": "Terser"}), 200)
    be_told_of_results(world)
    for module in modules("permissions"):
        if application in {None, module.__name__.split(".")[-2]}:
            module.use_everything(world, agent_id)
    if application is None:
        _use_links(world)
        _use_webhooks(world)
        use_deliveries(world)
        use_channel(world)
        _use_erasure(world)
    assert world.user.api.delete(f"/agents/{agent_id}").status_code in {200, 204}


def _use_webhooks(world: World) -> None:
    """Create a webhook and repeat that, read, change, test and delete it, and rotate its secret."""
    body, key = {"url": DISCARDING_URL, "eventTypes": ["job.completed"]}, {"Idempotency-Key": uuid.uuid4().hex}
    first, repeated = (data_of(world.user.api.post("/webhooks", json=body, headers=key), 201) for _ in range(2))
    assert first["webhookId"] == repeated["webhookId"]
    webhook = f"/webhooks/{first['webhookId']}"
    world.get(webhook)
    world.get("/webhooks")
    data_of(world.user.api.patch(webhook, json={"description": "for the shop", "version": 1}))
    data_of(world.user.api.post(f"{webhook}/rotate-secret"))
    data_of(world.user.api.post(f"{webhook}/test"), 202)
    data_of(world.user.api.delete(webhook))


def _use_erasure(world: World) -> None:
    """Delete one job, then erase all that a user can have, also with a connection and after a failure."""
    job_id = world.user.new_job("hang_after=0")
    world.leave_object(f"jobs/{job_id}/checkpoint-left")
    data_of(world.user.api.delete(f"/jobs/{job_id}"))
    user = ApiUser(world.stack)
    try:
        for module in modules("stored"):
            module.store(user, f"marker {uuid.uuid4().hex}")
        user.new_agent()
        world.leave_object(f"runs/{data_of(user.api.get('/ideations'))['runs'][0]['runId']}/left")
        delivery = {"PK": {"S": f"DELIVERIES#{user.name}"}, "SK": {"S": "left"}}
        world.stack.client("dynamodb").put_item(TableName="millrace-DeliveriesTable", Item=delivery)
        own = World(world.stack, user, world.model)
        with opened_connection(own, "erased") as connection:
            subscribe(connection, f"job:{user.jobs()[0]}")
            erasure_id = data_of(user.api.delete("/me/data", params={"confirm": "erase"}), 202)["erasureId"]
            path = f"/me/data/erasures/{erasure_id}"
            wait_until(lambda: own.get(path)["status"] == "completed")
        with world.without_state_machines():
            refusal(user.api.delete("/me/data", params={"confirm": "erase"}), 500, "INTERNAL_ERROR")
        erasure_id = data_of(user.api.delete("/me/data", params={"confirm": "erase"}), 202)["erasureId"]
        world.invoke("record_erasure_failure", erasureId=erasure_id)
        # An execution whose erasure is not stored fails at once, and then in the state that notes a failure.
        states = world.stack.client("stepfunctions")
        (machine,) = [
            each["stateMachineArn"]
            for each in states.list_state_machines()["stateMachines"]
            if each["name"] == "millrace-erase_owner"
        ]
        failing = states.start_execution(stateMachineArn=machine, input='{"erasureId": "ers_unknown"}')["executionArn"]
        wait_until(lambda: states.describe_execution(executionArn=failing)["status"] == "FAILED")
    finally:
        user.close()


def _use_links(world: World) -> None:
    """Create, resume and find a job that is linked to a run."""
    run_id = data_of(world.post("/ideations", RUN), 202)["runId"]
    page = f"Page {uuid.uuid4().hex}"
    world.says(page, hang_after=0)
    body = {"pipeline": "suggestion", "input": {**FIELDS, "pageOrComponent": page}, "links": {"runId": run_id}}
    job_id = data_of(world.post("/jobs", body), 202)["jobId"]
    # If the job were cancelled before its model is asked, the rule would hold back the resumed job.
    world.model.wait_for_request(lambda request: page in json.dumps(request))
    world.wait_for_start(job_id)
    assert world.user.cancel(job_id).status_code == 200
    data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
    world.user.ended(job_id)
    assert job_id in [job["jobId"] for job in world.get(f"/jobs?runId={run_id}")["jobs"]]
    use_archive(world, run_id)


def missing(application: str | None = None) -> list[str]:
    """Return what has to be installed before the scenario can run; an application says it in its `missing()`."""
    found = [module for module in modules("permissions") if application in {None, module.__name__.split(".")[-2]}]
    return [text for module in found if hasattr(module, "missing") and (text := module.missing())]


def run_scenario(application: str | None = None) -> dict[str, list[list[str]]]:
    """Return what the template's roles have used and were refused; see `LocalStack.accesses`.

    No function runs on its schedule: a sweep at any other moment could end a job before the step that is to end it.
    """
    stack = LocalStack("processes", environment=ENVIRONMENT, allowance=ALLOWANCE, schedules=False)
    with stack, ModelControl(stack.model_url) as model:
        user = ApiUser(stack)
        try:
            use_everything(World(stack, user, model), application)
        finally:
            user.close()
        return stack.accesses()


def _with_cancellations(used: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return what was used, and for the roles that an application names in `CANCEL_ANY_JOB` what cancel_job may stop.

    These functions cancel the jobs that belong to an entity, of whichever pipeline they are, also of pipelines that are
    added later.
    """
    stops = {
        (action, arn)
        for role, action, arn in used
        if role == "CancelJobFunctionRole" and action == "states:StopExecution"
    }
    # A deletion cancels a live job by the same code as a cancellation, and then erases it.
    cancels = {each[1:] for each in used if each[0] == "CancelJobFunctionRole"}
    used = used | {(role, *each) for role in ERASING for each in cancels}
    cancelling = {role for module in modules("permissions") for role in getattr(module, "CANCEL_ANY_JOB", ())}
    return {*used, *((role, *each) for role in cancelling for each in stops)}


def _with_runner(used: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return what was used, and for every stage all that the runner of stages uses of the jobs' table.

    All stages are run by the same code: it reads the job, claims the log, appends to it, and, if a model writes,
    compacts it. Which of these acts a stage of the scenario needs depends on how far an earlier attempt or a
    cancellation has come at that moment, so the records would differ by chance.
    """
    stages = {
        role_of(f"{camel(arn.rpartition('-')[2])}Function")
        for role, action, arn in used
        if action == "lambda:InvokeFunction" and role.endswith("StateMachineRole") and role not in NO_PIPELINES
    }
    with_model = {role for role, action, arn in used if arn.endswith(":secret:millrace-ModelSecret")}
    (table,) = {arn for _, _, arn in used if arn.endswith(f":table/{JOBS_TABLE}")}
    every = {(role, f"dynamodb:{act}", table) for role in stages for act in RUNNER_ACTS}
    return used | every | {(role, "dynamodb:BatchWriteItem", table) for role in stages & with_model}


Record = dict[str, dict[str, list[str]]]
"""Role → action → ARNs."""


def as_record(accesses: dict[str, list[list[str]]], earlier: Record | None = None) -> Record:
    """Return what docs/permissions.json holds, with every role that the template has, added to an `earlier` record."""
    used = {tuple(access) for access in accesses["used"]}
    used |= {
        (role, action, arn)
        for role, actions in (earlier or {}).items()
        for action, arns in actions.items()
        for arn in arns
    }
    appended = [role for (role,) in accesses["appended"]]
    used = _with_runner(_with_cancellations(with_announcements(used, appended)))
    record: Record = {role: {} for role in sorted(grants_of(Template(ROOT / "template.yaml")))}
    for role, action, arn in sorted(used):
        record[role].setdefault(action, []).append(arn)
    return record
